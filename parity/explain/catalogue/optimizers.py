"""The optimizer's numbers, options, calls and state, and edits of its program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parity.explain.catalogue.decays import moved
from parity.explain.faults.models import WeightNormSGD
from parity.explain.update.counts import Place
from parity.explain.update.edits import named_edit
from parity.explain.update.program import Program
from parity.step.design import Design
from refimpl.optimizers import OPTIMIZERS, SGD, Adam, AdamW
from refimpl.ranges import number_fields
from refimpl.stepping import is_zero

ADAM = (Adam, AdamW)
NOWHERE: Mapping[str, bool] = {}


def changed(design: Design, change: Callable[[Any], Any]) -> Design | None:
    """Every optimizer changed; None where that changes nothing."""
    other = design.with_optimizers(change)
    return None if other.form.optimizers == design.form.optimizers else other


def number(
    design: Design,
    value: float,
    *,
    name: str,
    of: Sequence[str] = (),
    to: str = "",
    times: bool = False,
    where: Mapping[str, bool] = NOWHERE,
) -> Design | None:
    """A number replaced by the value, or by the number ``to``, or multiplied by the value.

    ``of``: the classes that are changed, all where none is named; ``where``: numbers that must be there, or be off.
    """

    def change(optimizer: Any) -> Any:
        kind: Any = type(optimizer)
        if kind not in OPTIMIZERS.values() or name not in number_fields(kind) or (of and kind.__name__ not in of):
            return optimizer
        before = getattr(optimizer, name)
        if before is None or (times and is_zero(before)) or not _holds(optimizer, where):
            return optimizer
        return replace(optimizer, **{name: getattr(optimizer, to) if to else before * value if times else value})

    return changed(design, change)


def option(design: Design, _: float, *, name: str, to: bool, where: Mapping[str, bool] = NOWHERE) -> Design | None:
    """An option that is on or off, where it was not asked."""
    return changed(design, lambda o: replace(o, **{name: to}) if name in vars(o) and _holds(o, where) else o)


def _holds(optimizer: Any, where: Mapping[str, bool]) -> bool:
    """Whether numbers are there, or off, as they must be."""
    return all(is_zero(getattr(optimizer, name)) is not there for name, there in where.items())


def without_momentum(design: Design, _: float) -> Design | None:
    """μ = 0; β₁ = 0 for Adam."""

    def change(optimizer: Any) -> Any:
        if type(optimizer) in ADAM:
            return replace(optimizer, betas=(0.0, optimizer.betas[1]))
        none = {"momentum": 0.0, "dampening": 0.0, "nesterov": False}
        return replace(optimizer, **none) if none.keys() <= vars(optimizer).keys() else optimizer

    return changed(design, change)


def beta(design: Design, value: float, *, index: int) -> Design | None:
    """Another β₁ or β₂ of Adam."""

    def change(optimizer: Any) -> Any:
        betas = [*optimizer.betas] if type(optimizer) in ADAM else []
        betas[index : index + 1] = [value]
        return replace(optimizer, betas=tuple(betas)) if type(optimizer) in ADAM else optimizer

    return changed(design, change)


def betas_swapped(design: Design, _: float) -> Design | None:
    """β₁ in the place of β₂ of Adam, and the reverse."""
    return changed(design, lambda o: replace(o, betas=o.betas[::-1]) if type(o) in ADAM else o)


def weight_norm(design: Design, _: float) -> Design | None:
    """Plain SGD of the weight's length and direction."""
    optimizer = design.form.optimizers["weight"]
    if type(optimizer) is not SGD or optimizer != SGD(lr=optimizer.lr):
        return None
    return design.with_optimizers(lambda o: WeightNormSGD(lr=o.lr), "weight")


def state_reset(design: Design, _: float) -> Design | None:
    """A new state at the start of every epoch."""
    return replace(design, resets=np.diff(design.epoch, prepend=0) > 0) if design.resets is None else None


def stepped_twice(design: Design, _: float) -> Design | None:
    """Two calls for each gradient."""
    return replace(design, calls=np.full(design.steps, 2)) if design.calls is None else None


def edited(design: Design, _: float, *, edit: str) -> Design | None:
    """The edit of that name in the program of every optimizer that has it; see :mod:`parity.explain.update`."""
    if edit == "lr-times-momentum" and not moved(design):
        return None
    place = Place(index=0, parameters=1, epochs=np.repeat(design.epoch, _most_calls(design)))

    def change(optimizer: Any) -> Any:
        program = Program.of(optimizer)
        made = named_edit(program, edit)
        return optimizer if made is None or program is None else made.of(program, place)

    return changed(design, change)


def _most_calls(design: Design) -> int:
    """How often an optimizer steps for a gradient, at most."""
    calls = design.calls.values() if isinstance(design.calls, Mapping) else [design.calls]
    return max([1, *(int(np.max(each)) for each in calls if each is not None)])
