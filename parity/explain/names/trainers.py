"""Where an experiment asks for what trainers do: what code does in its place, each held to the run.

Nothing is measured here: each cause is correct code with another window, another limit or other frozen steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.cause import FAR, VERIFIED, Cause, cause, cause_of, named
from parity.explain.faults.twists import ClipValue
from parity.explain.measure.chain import Chain
from parity.explain.names import accumulation, ranks
from parity.step.design import Design
from parity.step.engine import Engine
from refimpl.clipping import Clip
from refimpl.freezing import Freeze

LEAST_SCALE = 16.0
"""The least loss scale that is thought of; a limit that is an eighth of the asked one is a limit."""


def groups(chain: Chain, design: Design) -> Iterator[Iterator[Cause]]:
    """The causes of each part that is asked for, in groups that are tried one after the other."""
    as_many = design.windows and chain.engine.recording.steps == design.steps
    if design.form.clip is not None:
        yield _clipped(chain, design.form.clip)
    if design.form.freeze:
        yield _trained(design)
    if design.form.accumulation is not None:
        if as_many:
            yield accumulation.divided(design, design.form.accumulation)
        yield accumulation.other_windows(design, design.form.accumulation, chain.engine.recording.steps)
    if design.form.ranks is not None and as_many:
        yield ranks.reduced(design, design.form.ranks)
        equal = chain.observed.ranks_equal if chain.observed is not None else None
        yield nearest(design, chain.engine, list(ranks.counted(design, design.form.ranks, equal)))


# -- clipping --------------------------------------------------------------------------------------------------------


def _clipped(chain: Chain, clip: Clip) -> Iterator[Cause]:
    """Causes that do not clip, take the other norm of the two, cut off elements, or have another limit."""
    yield cause("clip-missing", partial(_with_clip, clip=None), limit=float(clip.norm))
    other = replace(clip, of="each" if clip.of == "all" else "all")
    words = {"all": "of all parameters together", "each": "of each parameter for itself"}
    yield cause("clip-other-norm", partial(_with_clip, clip=other), executed=words[other.of], asked=words[clip.of])
    yield cause("clip-by-value", _by_value, limit=float(clip.norm))
    if chain.observed is not None and chain.observed.seen and clip.of == "all":
        given = np.concatenate([each.reshape(len(each), -1) for each in chain.observed.seen.values()], axis=1)
        limit = float(f"{np.nan_to_num(np.linalg.norm(given, axis=1)).max(initial=0.0):.3g}")
        asked = float(clip.norm)
        if limit and (scale := _loss_scale(asked, limit)):
            to = partial(_with_clip, clip=replace(clip, norm=clip.norm / scale, eps=clip.eps / scale))
            yield cause("clip-before-unscale", to, numbers=1, limit=asked / scale, asked=asked, scale=scale)
        if limit and limit != asked:
            to = partial(_with_clip, clip=replace(clip, norm=limit))
            yield cause("clip-other-limit", to, numbers=1, limit=limit, asked=asked)


def _loss_scale(asked: float, limit: float) -> float:
    """The power of two S nearest to c ÷ the limit seen, by which gradients were divided after their clipping,
    g·min(1, c/(S‖g‖ + ε)); 0 where it is less than any that is used."""
    scale = 2.0 ** round(np.log2(asked / limit)) if asked > limit else 1.0
    return scale if scale >= LEAST_SCALE else 0.0


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
    """The faults of the catalogue, with all that is asked beside them, the nearest first."""
    yield from nearest(design, engine, [cause_of(fault.name, fault.value) for fault, _ in named(design)])


def nearest(design: Design, engine: Engine, causes: Sequence[Cause]) -> Iterator[Cause]:
    """The causes whose steps in float64 lie nearest to those recorded."""
    allowed = engine.allowances(design)
    changed = [(one, made) for one in causes if (made := one.to(design)) is not None and made.consistent]
    known = [(one, made) for one, made in changed if made.steps == engine.recording.steps]
    largest = np.zeros(len(known))
    for i, (_, made) in enumerate(known):  # one at a time: the steps of all together may not fit in memory
        for name, weights in engine.weights([made]).items():
            off = np.abs(weights[0] - engine.recording.weights[name][1:]).reshape(allowed[name].shape)
            with np.errstate(all="ignore"):
                share = np.where(off == 0, 0, off / allowed[name])
            largest[i] = max(largest[i], np.nan_to_num(share, nan=np.inf).max(initial=0))
    for i in np.argsort(largest, kind="stable")[:VERIFIED]:
        if largest[i] < FAR:
            yield known[int(i)][0]
