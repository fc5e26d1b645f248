"""Where an experiment asks for accumulation: other windows, or other divisors, each held to the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.explain.cause import Cause, cause
from parity.step.design import Design
from refimpl.accumulation import Accumulation, Window
from refimpl.batches import Order
from refimpl.errors import ParameterError
from refimpl.types import Array


def divided(design: Design, asked: Accumulation) -> Iterator[Cause]:
    """Causes that keep the windows and add up their batches otherwise."""
    micro = asked.micro
    short = [window for window in design.windows if window.micro < micro]
    for decayed in (True, False):
        changed = partial(partial, with_windows, decayed=decayed)
        if any(window.divisor != window.micro for window in short):
            by = "its own number of batches"
            yield cause("accumulation-last-divisor", changed(change=_by_own), by=by, micro=micro, variant=decayed)
        if any(window.divisor != micro for window in short):
            full = changed(change=partial(_by, divisor=micro))
            yield cause("accumulation-last-divisor", full, by="the full count", micro=micro, variant=decayed)
        yield cause("accumulation-not-divided", changed(change=partial(_by, divisor=1)), variant=decayed)
        yield cause("accumulation-divided-twice", changed(change=_by_square), variant=decayed)
        for which, index in (("last", -1), ("first", 0)):
            one = partial(_one_batch, index=index, decayed=decayed)
            yield cause("accumulation-one-batch", one, which=which, micro=micro, variant=decayed)
    if any(len(set(window.sizes)) > 1 for window in design.windows):
        yield cause("accumulation-mean-over-rows", partial(with_windows, change=_in_one))


def with_windows(design: Design, change: Callable[[Window], Window], *, decayed: bool = True) -> Design:
    """The design with other windows of the same rows; the penalties are divided as they are, unless ``decayed``: then
    they count as before, for they are the optimizer's decay."""
    changed = replace(design, material=replace(design.material, windows=tuple(map(change, design.windows))))
    if not decayed:
        return changed
    before, now = (np.array([window.share for window in some.windows]) for some in (design, changed))
    return changed.with_penalty_times(before / now)


def _by(window: Window, divisor: int) -> Window:
    return replace(window, divisor=divisor)


def _by_own(window: Window) -> Window:
    return replace(window, divisor=window.micro)


def _by_square(window: Window) -> Window:
    return replace(window, divisor=window.divisor**2)


def _in_one(window: Window) -> Window:
    of_ranks = np.reshape(window.sizes, (window.ranks, window.micro)).sum(1)
    return replace(window, sizes=tuple(map(int, of_ranks)), divisor=1)


def _one_batch(design: Design, index: int, *, decayed: bool) -> Design:
    """Of every window only one batch counts, as often as it is asked to; so does its penalty, unless ``decayed``."""
    times = []
    for window in design.windows:
        of_batch = np.zeros((window.ranks, window.micro))
        of_batch[:, index] = 1
        times.append(np.repeat(of_batch.ravel(), window.sizes))
    changed = replace(design, row_times=tuple(times))
    if decayed:
        return changed
    return changed.with_penalty_times(np.array([1 / window.micro for window in design.windows]))


def other_windows(design: Design, asked: Accumulation, steps: int) -> Iterator[Cause]:
    """Causes that put the same batches into other windows, of as many steps as were recorded."""
    micro, batches = asked.micro, design.material.loaded

    def fits(how: Accumulation) -> bool:
        made = accumulated(design, how)
        return made is not None and made.steps == steps

    if not asked.across_epochs and any(len(epoch) % micro for epoch in batches):
        yield cause("accumulation-rest-dropped", partial(_whole_windows, micro=micro))
        for decayed in (True, False):
            carried = partial(_carried, micro=micro, decayed=decayed)
            yield cause("accumulation-rest-carried", carried, micro=micro, variant=decayed)
    for last in ("mean", "full"):
        other = _how(micro, last, across_epochs=not asked.across_epochs)
        if fits(other):
            id = "accumulation-by-epoch" if asked.across_epochs else "accumulation-across-epochs"
            yield cause(id, partial(accumulated, how=other), variant=last == "full")
    if micro > 1 and fits(Accumulation(micro=1)):
        yield cause("accumulation-none", partial(accumulated, how=Accumulation(micro=1)), micro=micro)
    for given in range(2, 2 * micro + 1):
        for last in ("mean", "full"):
            how = _how(given, last, across_epochs=asked.across_epochs)
            if given != micro and fits(how):
                to = partial(accumulated, how=how)
                yield cause("accumulation-other-micro", to, given=given, micro=micro, variant=last == "full")


def _how(micro: int, last: Any, *, across_epochs: bool) -> Accumulation:
    return Accumulation(micro=micro, last=last, across_epochs=across_epochs)


def accumulated(design: Design, how: Accumulation) -> Design | None:
    """The design whose batches are put into windows in another way; None where an epoch has no step then."""
    try:
        return rearranged(design, *how.windows(design.material.loaded))
    except ParameterError:
        return None


def rearranged(design: Design, order: Order, windows: tuple[Window, ...]) -> Design:
    """The design with other steps, each of which is divided over the ranks that are asked for."""
    ranks = design.form.ranks
    order, windows = (order, windows) if ranks is None else ranks.divide(order, windows)
    return replace(design, material=replace(design.material, order=order, windows=windows))


def _carried(design: Design, micro: int, *, decayed: bool) -> Design:
    """Batches that make no whole window are added to the first one of the next epoch."""
    order: list[list[Array]] = []
    windows: list[Window] = []
    waiting: list[Array] = []
    for epoch in design.material.loaded:
        order.append([])
        for i, rows in enumerate(epoch):
            waiting.append(rows)
            if (i + 1) % micro == 0:
                order[-1].append(np.concatenate(waiting))
                windows.append(Window(tuple(map(len, waiting)), micro))
                waiting = []
    changed = rearranged(design, tuple(map(tuple, order)), tuple(windows))
    return changed.with_penalty_times([1 / window.share for window in windows]) if decayed else changed


def _whole_windows(design: Design, micro: int) -> Design | None:
    """Batches that make no whole window are left out."""
    kept = tuple(epoch[: len(epoch) - len(epoch) % micro] for epoch in design.material.loaded)
    changed = replace(design, material=replace(design.material, loaded=kept))
    return accumulated(changed, Accumulation(micro=micro)) if all(kept) else None
