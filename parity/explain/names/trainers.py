"""Where an experiment asks for accumulation, clipping or freezing: what code does in their place, each held to the run.

Nothing is measured here: each cause is correct code with another window, another limit or other frozen steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.faults.twists import ClipValue
from parity.explain.measure.chain import Chain
from parity.step.design import Design
from refimpl.accumulation import Accumulation, Window
from refimpl.clipping import Clip
from refimpl.errors import ParameterError
from refimpl.freezing import Freeze
from refimpl.types import Array


def causes(chain: Chain, design: Design) -> Iterator[Cause]:
    """Of each of the three that is asked for."""
    if design.windows:
        yield from _divided(design)
        yield from _other_windows(design)
    if design.form.clip is not None:
        yield from _clipped(chain, design.form.clip)
    if design.form.freeze:
        yield from _trained(design)


# -- accumulation ----------------------------------------------------------------------------------------------------


def _divided(design: Design) -> Iterator[Cause]:
    """The same windows, added up otherwise."""
    micro = max(len(window.sizes) for window in design.windows)
    short = [window for window in design.windows if len(window.sizes) < micro]
    for decayed in (True, False):
        if any(window.divisor != len(window.sizes) for window in short):
            by = "its own number of batches"
            change = partial(_windows, change=_by_own, decayed=decayed)
            yield cause("accumulation-last-divisor", change, by=by, micro=micro, variant=decayed)
        if any(window.divisor != micro for window in short):
            change = partial(_windows, change=partial(_by, divisor=micro), decayed=decayed)
            yield cause("accumulation-last-divisor", change, by="the full count", micro=micro, variant=decayed)
        once = partial(_windows, change=partial(_by, divisor=1), decayed=decayed)
        yield cause("accumulation-not-divided", once, variant=decayed)
        twice = partial(_windows, change=_by_square, decayed=decayed)
        yield cause("accumulation-divided-twice", twice, variant=decayed)
    if any(len(set(window.sizes)) > 1 for window in design.windows):
        yield cause("accumulation-mean-over-rows", partial(_windows, change=_in_one))
    for which, index in (("last", -1), ("first", 0)):
        yield cause("accumulation-one-batch", partial(_one_batch, index=index), which=which, micro=micro)


def _windows(design: Design, change: Callable[[Window], Window], *, decayed: bool = True) -> Design:
    """The design with other windows of the same rows; the penalties are divided as they are, unless ``decayed``: then
    they count as before, for they are the optimizer's decay."""
    changed = replace(design, material=replace(design.material, windows=tuple(map(change, design.windows))))
    if not decayed:
        return changed
    before, now = (np.array([window.share for window in some.windows]) for some in (design, changed))
    return changed.with_penalty_times(before / now)


def _by(window: Window, divisor: int) -> Window:
    return Window(window.sizes, divisor)


def _by_own(window: Window) -> Window:
    return Window(window.sizes, len(window.sizes))


def _by_square(window: Window) -> Window:
    return Window(window.sizes, window.divisor**2)


def _in_one(window: Window) -> Window:
    return Window((sum(window.sizes),), 1)


def _one_batch(design: Design, index: int) -> Design:
    """Of every window only one batch counts, as often as it is asked to; so does its penalty."""
    times = []
    for window in design.windows:
        of_batch = np.zeros(len(window.sizes))
        of_batch[index] = 1
        times.append(np.repeat(of_batch, window.sizes))
    changed = design.with_penalty_times(np.array([1 / len(window.sizes) for window in design.windows]))
    return replace(changed, row_times=tuple(times))


def _other_windows(design: Design) -> Iterator[Cause]:
    """The same batches, in other windows."""
    asked, batches = max(len(window.sizes) for window in design.windows), design.material.loaded
    yield cause("accumulation-none", partial(_accumulated, how=Accumulation(micro=1)), micro=asked)
    for micro in range(2, 2 * asked + 1):
        for last in ("mean", "full"):
            if micro != asked:
                how: Any = Accumulation(micro=micro, last=last)
                yield cause("accumulation-other-micro", partial(_accumulated, how=how), given=micro, micro=asked)
    across = Accumulation(micro=asked, across_epochs=True)
    yield cause("accumulation-across-epochs", partial(_accumulated, how=across))
    if any(len(epoch) % asked for epoch in batches):
        for decayed in (True, False):
            carried = partial(_carried, micro=asked, decayed=decayed)
            yield cause("accumulation-rest-carried", carried, micro=asked, variant=decayed)
        yield cause("accumulation-rest-dropped", partial(_whole_windows, micro=asked))


def _accumulated(design: Design, how: Accumulation) -> Design | None:
    try:
        order, windows = how.windows(design.material.loaded)
    except ParameterError:
        return None
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
    steps = tuple(map(tuple, order))
    changed = replace(design, material=replace(design.material, order=steps, windows=tuple(windows)))
    return changed.with_penalty_times([1 / window.share for window in windows]) if decayed else changed


def _whole_windows(design: Design, micro: int) -> Design | None:
    """Batches that make no whole window are left out."""
    kept = tuple(epoch[: len(epoch) - len(epoch) % micro] for epoch in design.material.loaded)
    changed = replace(design, material=replace(design.material, loaded=kept))
    return _accumulated(changed, Accumulation(micro=micro)) if all(kept) else None


# -- clipping --------------------------------------------------------------------------------------------------------


def _clipped(chain: Chain, clip: Clip) -> Iterator[Cause]:
    """Not at all, of the other of all and each, by value, to another norm."""
    yield cause("clip-missing", partial(_with_clip, clip=None), limit=float(clip.norm))
    other = replace(clip, of="each" if clip.of == "all" else "all")
    words = {"all": "of all parameters together", "each": "of each parameter for itself"}
    yield cause("clip-other-norm", partial(_with_clip, clip=other), executed=words[other.of], asked=words[clip.of])
    yield cause("clip-by-value", _by_value, limit=float(clip.norm))
    if chain.observed is not None and clip.of == "all":
        given = np.concatenate([each.reshape(len(each), -1) for each in chain.observed.seen.values()], axis=1)
        limit = float(f"{np.nan_to_num(np.linalg.norm(given, axis=1)).max(initial=0.0):.3g}")
        if limit and limit != clip.norm:
            to = partial(_with_clip, clip=replace(clip, norm=limit))
            yield cause("clip-other-limit", to, numbers=1, limit=limit, asked=float(clip.norm))


def _with_clip(design: Design, clip: Clip | None) -> Design:
    return replace(design, form=replace(design.form, clip=clip))


def _by_value(design: Design) -> Design:
    assert design.form.clip is not None
    return replace(_with_clip(design, None), twists=(*design.twists, ClipValue(float(design.form.clip.norm))))


# -- freezing --------------------------------------------------------------------------------------------------------


def _trained(design: Design) -> Iterator[Cause]:
    """Parameters that train all the same, or whose optimizer goes on without their gradient."""
    names = sorted({name for freeze in design.form.freeze for name in freeze.parameters})
    said = " and ".join(names)
    yield cause("freeze-missing", partial(_with_freeze, freeze=()), names=said)
    yield cause("freeze-gradient-only", _gradient_only, names=said)
    for begun in (1, -1):
        moved = tuple(_moved(freeze, begun) for freeze in design.form.freeze)
        if all(one is not None for one in moved):
            shift = partial(_with_freeze, freeze=tuple(one for one in moved if one is not None))
            yield cause("freeze-shifted", shift, names=said, when="later" if begun > 0 else "earlier")


def _with_freeze(design: Design, freeze: tuple[Freeze, ...]) -> Design:
    return replace(design, form=replace(design.form, freeze=freeze))


def _gradient_only(design: Design) -> Design:
    """The gradient is 0 in the frozen steps, and the optimizer makes its step of it."""
    scale = {name: trained.astype(float) for name, trained in design.live.items()}
    return replace(_with_freeze(design, ()), scale={**design.scale, **scale})


def _moved(freeze: Freeze, by: int) -> Freeze | None:
    """The same a step later or earlier."""
    start = max(freeze.from_step + by, 0) if freeze.from_step else 0
    end = None if freeze.to_step is None else freeze.to_step + by
    if end is not None and end <= start:
        return None
    return Freeze(parameters=freeze.parameters, from_step=start, to_step=end)
