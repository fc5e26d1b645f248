"""What a run cannot see: hyper-parameters whose replacement by a neutral value it would not notice.

λ and μ are replaced by 0, the other numbers doubled, and a choice (what is clipped together, what divides a short last
window, how ranks share the rows and reduce their gradients) by the other one. If every recorded number lies within its
bound then, too, the run says nothing about that hyper-parameter, and must not be counted as agreement on it. Those that
several parameters share are one hyper-parameter; where their values differ, each is asked for by itself. What has no
effect, because the schedule overwrites it or does not use it, is not asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from parity.experiment import Material
from parity.formulation import Realised
from parity.step.design import Design
from refimpl.errors import RefimplError
from refimpl.ranges import number_fields
from refimpl.ranks import Ranks, steps_of
from refimpl.schedules import Cyclic, OneCycle
from refimpl.stepping import is_zero
from refimpl.training import hyper_parameters
from refimpl.types import Optimizer, Schedule

VANISHING = ("weight_decay", "momentum", "strength", "l1", "l2")
GUARDS = ("least",)
"""Numbers that are not asked for: they act where all would otherwise be divided by almost nothing."""


def neutral(form: Realised, material: Material) -> Iterator[tuple[str, Realised, Material]]:
    """Each hyper-parameter by name, with the form and the material that have a neutral value in its place."""
    for name, other in _forms(form):
        yield name, other, material
    accumulation = form.accumulation
    if accumulation is not None and accumulation.micro > 1 and not accumulation.across_epochs:
        divided = replace(accumulation, last="full" if accumulation.last == "mean" else "mean")
        other = replace(form, accumulation=divided)
        rearranged = _rearranged(other, material)
        if rearranged.windows != material.windows:  # some window is short
            yield "accumulation.last", other, rearranged
    if form.ranks is not None and form.ranks.count > 1:
        for choice, ranks in _other_ranks(form, form.ranks, material):
            changed = replace(form, ranks=ranks)
            yield f"ranks.{choice}", changed, _rearranged(changed, material)


def _other_ranks(form: Realised, asked: Ranks, material: Material) -> Iterator[tuple[str, Ranks]]:
    """Each choice of the ranks that makes a difference, made the other way."""
    yield "reduce", replace(asked, reduce="sum" if asked.reduce == "mean" else "mean")
    loss: Any = form.in_gradient.loss
    sizes = [np.reshape(window.sizes, (window.ranks, window.micro)) for window in material.windows]
    if loss.reduction == "mean" and any((of_ranks != of_ranks[0]).any() for of_ranks in sizes):
        yield "shard", replace(asked, shard="blocks" if asked.shard == "interleaved" else "interleaved")


def _rearranged(form: Realised, material: Material) -> Material:
    """The same batches in the steps of this form, as many of them."""
    order, windows = steps_of(material.loaded, form.accumulation, form.ranks)
    kept = tuple(batches[: len(some)] for batches, some in zip(order, material.order, strict=False))
    return replace(material, order=kept, windows=windows[: len(material.windows)])


def _forms(form: Realised) -> Iterator[tuple[str, Realised]]:
    """What is of the form alone: all but how micro-batches are divided."""
    shared: dict[tuple[str, Any], dict[str, Any]] = {}
    for name, optimizer in form.optimizers.items():
        overwritten = _overwritten(optimizer, form.schedule)
        for hyper, value, changed in variants(optimizer):
            if hyper in overwritten:
                continue
            shared.setdefault((hyper, value), {})[name] = changed
    for (hyper, _), changed in shared.items():
        of = "" if len(changed) == len(form.optimizers) else f" of {', '.join(changed)}"
        yield f"{hyper}{of}", replace(form, optimizers={**form.optimizers, **changed})
    unused = _unused(form.schedule)
    for hyper, _, schedule in variants(form.schedule):
        if hyper in unused:
            continue
        yield f"schedule.{hyper}", replace(form, schedule=schedule)
    model: Any = form.in_gradient.model
    for hyper, _, changed in variants(model):
        yield f"model.{hyper}", replace(form, in_gradient=replace(form.in_gradient, model=changed))
    if form.clip is not None:
        longer = None if is_zero(form.clip.norm) else replace(form.clip, norm=2 * form.clip.norm)
        yield "clip.norm", replace(form, clip=longer)
        if len(form.optimizers) > 1 and longer is not None:
            yield "clip.of", replace(form, clip=replace(form.clip, of="each" if form.clip.of == "all" else "all"))
    for hyper, _, changed in variants(form.ema) if form.ema is not None else ():
        yield f"ema.{hyper}", replace(form, ema=changed)
    for i in range(len(form.freeze)):
        yield f"freeze[{i}]", replace(form, freeze=(*form.freeze[:i], *form.freeze[i + 1 :]))
    penalties = form.in_gradient.penalties  # a parameter each
    for i, penalty in enumerate(penalties):
        for hyper, _, changed in variants(penalty):
            others = (*penalties[:i], changed, *penalties[i + 1 :])
            name = f"{type(penalty).__name__}.{hyper} of {', '.join(penalty.parameters)}"
            yield name, replace(form, in_gradient=replace(form.in_gradient, penalties=others))


def unseen(design: Design, agrees: Callable[[Design], bool]) -> tuple[str, ...]:
    """Hyper-parameters that could have a neutral value, so that the run agrees as well."""
    others = neutral(design.form, design.material)
    return tuple(name for name, form, material in others if agrees(replace(design, form=form, material=material)))


def _overwritten(optimizer: Optimizer, schedule: Schedule) -> set[str]:
    """The hyper-parameters that have no effect because the schedule has values of its own for them."""
    base = hyper_parameters(optimizer)
    moved = schedule.at(0, base)
    doubled = schedule.at(0, {name: value if isinstance(value, tuple) else 2 * value for name, value in base.items()})
    return {name for name in moved if not isinstance(moved[name], tuple) and moved[name] == doubled[name]}


def _unused(schedule: Schedule) -> set[str]:
    """The numbers of a schedule that its options leave out."""
    unused: set[str] = set()
    if isinstance(schedule, Cyclic) and schedule.mode != "exp_range":
        unused |= {"gamma"}
    if isinstance(schedule, Cyclic | OneCycle) and not schedule.cycle_momentum:
        unused |= {"base_momentum", "max_momentum"}
    return unused


def variants(obj: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, value, and a copy with that number changed; numbers that are switched off are not asked for."""
    for hyper in (name for name in number_fields(obj.__class__) if name not in GUARDS):
        value = getattr(obj, hyper)
        if isinstance(value, tuple):
            for index, part in enumerate(value):
                if part is not None and not is_zero(part):
                    yield f"{hyper}[{index}]", part, _changed(obj, hyper, part, index)
        elif value is not None and not is_zero(value):
            yield hyper, value, _changed(obj, hyper, value)
    penalty = getattr(obj, "penalty", None)  # of a proximal step
    if penalty is not None:
        for hyper, value, changed in variants(penalty):
            yield f"{type(penalty).__name__}.{hyper}", value, replace(obj, penalty=changed)


def _changed(obj: Any, hyper: str, value: Any, index: int | None = None) -> Any:
    """A copy with another number, or another one of several: 0 or twice as large, else, in its range, half as large."""
    for number in (0.0 if hyper in VANISHING else 2 * value, value / 2):
        parts = () if index is None else getattr(obj, hyper)
        new = number if index is None else (*parts[:index], number, *parts[index + 1 :])
        changes = {"nesterov": False} if hyper == "momentum" and number == 0 and hasattr(obj, "nesterov") else {}
        with suppress(RefimplError):
            return replace(obj, **{hyper: new}, **changes)
    raise AssertionError(f"neither twice nor half of {hyper} is in its range")
