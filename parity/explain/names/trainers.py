"""Where an experiment asks for accumulation, clipping or freezing: what code does in their place, each held to the run.

Nothing is measured here: each cause is correct code with another window, another limit or other frozen steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.explain.cause import FAR, VERIFIED, Cause, cause, cause_of, named
from parity.explain.faults.twists import ClipValue
from parity.explain.measure.chain import Chain
from parity.step.design import Design
from parity.step.engine import Engine
from refimpl.accumulation import Accumulation, Window
from refimpl.clipping import Clip
from refimpl.errors import ParameterError
from refimpl.freezing import Freeze
from refimpl.types import Array


def groups(chain: Chain, design: Design) -> Iterator[Iterator[Cause]]:
    """The causes of each of the three that is asked for, in groups that are tried one after the other."""
    if design.form.clip is not None:
        yield _clipped(chain, design.form.clip)
    if design.form.freeze:
        yield _trained(design)
    if design.form.accumulation is not None:
        if design.windows and chain.engine.recording.steps == design.steps:
            yield _divided(design, design.form.accumulation)
        yield _other_windows(design, design.form.accumulation, chain.engine.recording.steps)


# -- accumulation ----------------------------------------------------------------------------------------------------


def _divided(design: Design, asked: Accumulation) -> Iterator[Cause]:
    """Causes that keep the windows and add up their batches otherwise."""
    micro = asked.micro
    short = [window for window in design.windows if len(window.sizes) < micro]
    for decayed in (True, False):
        changed = partial(partial, _windows, decayed=decayed)
        if any(window.divisor != len(window.sizes) for window in short):
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
        yield cause("accumulation-mean-over-rows", partial(_windows, change=_in_one))


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


def _one_batch(design: Design, index: int, *, decayed: bool) -> Design:
    """Of every window only one batch counts, as often as it is asked to; so does its penalty, unless ``decayed``."""
    times = []
    for window in design.windows:
        of_batch = np.zeros(len(window.sizes))
        of_batch[index] = 1
        times.append(np.repeat(of_batch, window.sizes))
    changed = replace(design, row_times=tuple(times))
    if decayed:
        return changed
    return changed.with_penalty_times(np.array([1 / len(window.sizes) for window in design.windows]))


def _other_windows(design: Design, asked: Accumulation, steps: int) -> Iterator[Cause]:
    """Causes that put the same batches into other windows, of as many steps as were recorded."""
    micro, batches = asked.micro, design.material.loaded

    def fits(how: Accumulation) -> bool:
        made = _accumulated(design, how)
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
            yield cause(id, partial(_accumulated, how=other), variant=last == "full")
    if micro > 1 and fits(Accumulation(micro=1)):
        yield cause("accumulation-none", partial(_accumulated, how=Accumulation(micro=1)), micro=micro)
    for given in range(2, 2 * micro + 1):
        for last in ("mean", "full"):
            how = _how(given, last, across_epochs=asked.across_epochs)
            if given != micro and fits(how):
                to = partial(_accumulated, how=how)
                yield cause("accumulation-other-micro", to, given=given, micro=micro, variant=last == "full")


def _how(micro: int, last: Any, *, across_epochs: bool) -> Accumulation:
    return Accumulation(micro=micro, last=last, across_epochs=across_epochs)


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
    """Causes that do not clip, take the other norm of the two, cut off elements, or have another limit."""
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
    """Causes that train what is frozen, let its optimizer go on without a gradient, or freeze it in other steps."""
    names = sorted({name for freeze in design.form.freeze for name in freeze.parameters})
    said = " and ".join(names)
    yield cause("freeze-missing", partial(_with_freeze, freeze=()), names=said)
    yield cause("freeze-gradient-only", _gradient_only, names=said)
    for by in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1)):
        moved = tuple(_moved(freeze, *by) for freeze in design.form.freeze)
        known = tuple(one for one in moved if one is not None)
        if len(known) == len(moved) and known != design.form.freeze:
            executed, asked = (" and ".join(map(_steps_of, some)) for some in (known, design.form.freeze))
            shift = partial(_with_freeze, freeze=known)
            yield cause("freeze-other-steps", shift, numbers=1, names=said, executed=executed, asked=asked)


def _steps_of(freeze: Freeze) -> str:
    """``2 to 4``, or ``2 on``."""
    end = freeze.to_step
    return f"{freeze.from_step} on" if end is None else f"{freeze.from_step} to {end - 1}"


def _with_freeze(design: Design, freeze: tuple[Freeze, ...]) -> Design:
    return replace(design, form=replace(design.form, freeze=freeze))


def _gradient_only(design: Design) -> Design:
    """The gradient is 0 in the frozen steps, and the optimizer makes its step of it."""
    scale = {name: trained.astype(float) for name, trained in design.live.items()}
    return replace(_with_freeze(design, ()), scale={**design.scale, **scale})


def _moved(freeze: Freeze, begin: int, end: int) -> Freeze | None:
    """The same with its first step, and the one after its last, moved; None where nothing is left."""
    start = freeze.from_step + begin
    stop = None if freeze.to_step is None else freeze.to_step + end
    if start < 0 or (stop is not None and stop <= start):
        return None
    return Freeze(parameters=freeze.parameters, from_step=start, to_step=stop)


# -- the catalogue ---------------------------------------------------------------------------------------------------


def catalogued(design: Design, engine: Engine) -> Iterator[Cause]:
    """The faults of the catalogue whose steps in float64, with all that is asked, lie nearest to those recorded."""
    allowed = engine.allowances(design)
    faults = [(fault, one) for fault, one in named(design) if one.steps == engine.recording.steps and one.consistent]
    largest = np.zeros(len(faults))
    for i, (_, one) in enumerate(faults):  # one at a time: the steps of all together may not fit in memory
        for name, weights in engine.weights([one]).items():
            off = np.abs(weights[0] - engine.recording.weights[name][1:]).reshape(allowed[name].shape)
            with np.errstate(all="ignore"):
                share = np.where(off == 0, 0, off / allowed[name])
            largest[i] = max(largest[i], np.nan_to_num(share, nan=np.inf).max(initial=0))
    for i in np.argsort(largest, kind="stable")[:VERIFIED]:
        fault = faults[int(i)][0]
        if largest[i] < FAR:
            yield cause_of(fault.name, fault.value)
