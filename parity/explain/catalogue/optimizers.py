"""The optimizer's recurrence and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from parity.explain.catalogue.gradients import mixed
from parity.explain.catalogue.name import Apply, Name, map_optimizers
from parity.explain.catalogue.penalties import moved
from parity.explain.faults.weight_norm import WeightNormSGD
from parity.explain.update.counts import Place
from parity.explain.update.edits import named_edit
from parity.explain.update.named import words_of
from parity.explain.update.program import Program
from parity.step.design import Design
from refimpl.errors import RefimplError
from refimpl.optimizers import OPTIMIZERS, SGD, SGDW, Adam, AdamW
from refimpl.types import number_fields, off

MOMENTUM = (SGD, SGDW)
ADAM = (Adam, AdamW)
EARLY = "the first steps, where the correction is large"
FOLLOW = "; momentum and decay follow η, too"
EPS = "small gradients, where ε is not small beside √v"


def of(kinds: tuple[type, ...], change: Callable[[Any, float], Any]) -> Apply:
    """A change of the optimizers of some classes; what they refuse makes no sense."""

    def apply(design: Design, value: float) -> Design | None:
        try:
            return map_optimizers(design, kinds, lambda optimizer: change(optimizer, value))
        except RefimplError:
            return None

    return apply


def momentum(*, asked: bool) -> Apply:
    """Another momentum where there is one, or one where there is none."""
    return of(MOMENTUM, lambda o, value: o if off(o.momentum) is asked else replace(o, momentum=value))


def without_momentum(optimizer: Any, _: float) -> Any:
    if type(optimizer) in ADAM:
        return replace(optimizer, betas=(0.0, optimizer.betas[1]))
    return replace(optimizer, momentum=0.0, dampening=0.0, nesterov=False)


def dampened(optimizer: Any, value: float) -> Any:
    """Another τ of momentum; nan: τ = μ."""
    if off(optimizer.momentum):
        return optimizer
    return replace(optimizer, dampening=optimizer.momentum if np.isnan(value) else value)


def nesterov(on: bool) -> Callable[[Any, float], Any]:
    return lambda o, _: o if off(o.momentum) or not off(o.dampening) else replace(o, nesterov=on)


def beta(index: int) -> Apply:
    def change(optimizer: Any, value: float) -> Any:
        betas = list(optimizer.betas)
        betas[index] = value
        return replace(optimizer, betas=tuple(betas))

    return of(ADAM, change)


def number(name: str, *, times: bool) -> Apply:
    """A number of any optimizer, multiplied by the value or replaced by it, for all parameters."""

    def change(optimizer: Any, value: float) -> Any:
        kind: Any = type(optimizer)
        if name not in number_fields(kind):
            return optimizer
        before = getattr(optimizer, name)
        if before is None or (times and off(before)):
            return optimizer
        return replace(optimizer, **{name: before * value if times else value})

    return of((*OPTIMIZERS.values(),), change)


def maximizing(design: Design, value: float) -> Design:
    """Uphill: the whole gradient negated, or that of the loss and not that of the penalty."""
    found = mixed(design, -np.eye(design.steps))
    return found.with_penalty_times(-1.0) if value == 1 and design.form.in_gradient.penalties else found


def weight_norm(design: Design) -> Design | None:
    """Plain SGD of the weight's length and direction."""
    optimizer = design.form.optimizers["weight"]
    if type(optimizer) is not SGD or optimizer != SGD(lr=optimizer.lr):
        return None
    return design.with_optimizers(lambda o: WeightNormSGD(lr=o.lr), "weight")


def replaced(design: Design, id: str) -> Design | None:
    """The edit of that name in the program of every optimizer that has it; see :mod:`parity.explain.update`."""
    place = Place(index=0, parameters=1, epochs=np.repeat(design.epoch, most_calls(design)))

    def change(optimizer: Any) -> Any:
        program = Program.of(optimizer)
        edit = named_edit(program, id)
        return optimizer if edit is None or program is None else edit.of(program, place)

    changed = design.with_optimizers(change)
    return None if changed.form.optimizers == design.form.optimizers else changed


def most_calls(design: Design) -> int:
    """How often an optimizer steps for a gradient, at most."""
    calls = design.calls.values() if isinstance(design.calls, Mapping) else [design.calls]
    return max([1, *(int(np.max(each)) for each in calls if each is not None)])


def linked(id: str, probe: str) -> Name:
    """A name whose words and formula are those of an edit."""
    needs_schedule = id == "lr-times-momentum"
    return Name(
        text=words_of(id),
        change="make each line of the update as asked",
        probe=probe,
        apply=lambda design, _: None if needs_schedule and not moved(design) else replaced(design, id),
    )


LINKS = {
    "first-step-dampened": "the first step alone",
    "momentum-averaged": "the first step, which is shorter by the factor 1 − μ",
    "bias-correction-missing-first": EARLY,
    "bias-correction-missing-second": EARLY,
    "bias-correction-missing-both": EARLY,
    "bias-correction-late": "the second step: the first one is the same",
    "eps-inside-root": EPS,
    "eps-before-correction": EPS,
    "eps-missing": EPS,
    "amsgrad-after-correction": "gradients that grow smaller, in the first steps",
    "second-moment-of-decayed-gradient": "a large λ",
    "second-moment-undecayed": "the first step",
    "lr-times-momentum": "a schedule that moves η",
}
"""Lines of the update that are edited, and what shows it."""
FREE_RATES = (0.01, 0.1, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999)

OPTIMIZER = {
    "momentum-missing": Name(
        text="there is no momentum (β₁ = 0 for Adam)",
        change="pass the momentum to the optimizer",
        probe="the second step: the first one is the same with and without",
        apply=of((*MOMENTUM, *ADAM), without_momentum),
    ),
    "momentum-extra": Name(
        text="there is momentum {value:.6g}, where none was asked",
        change="set momentum=0",
        probe="the second step: the first one is the same with and without",
        apply=momentum(asked=False),
        values=FREE_RATES,
        free=True,
    ),
    "momentum-other": Name(
        text="the momentum is {value:.6g}, and not what was asked",
        change="pass the momentum that was asked",
        probe="the second step",
        apply=momentum(asked=True),
        values=FREE_RATES,
        free=True,
    ),
    "dampening-extra": Name(
        text="momentum is dampened: b ← μb + (1 − τ)g with τ = μ, an average where torch keeps a sum",
        change="set dampening=0; torch's momentum is b ← μb + g",
        probe="the second step: the first one is undampened in torch",
        apply=of(MOMENTUM, dampened),
    ),
    "dampening-missing": Name(
        text="momentum is not dampened, where it was asked",
        change="pass the dampening that was asked",
        probe="the second step: the first one is undampened in torch",
        apply=of(MOMENTUM, dampened),
        values=(0.0,),
    ),
    "dampening-other": Name(
        text="momentum is dampened with τ = {value:.6g}, and not as asked",
        change="pass the dampening that was asked",
        probe="the second step: the first one is undampened in torch",
        apply=of(MOMENTUM, dampened),
        values=(0.1, 0.3, 0.5, 0.7, 0.9),
        free=True,
    ),
    "nesterov-missing": Name(
        text="momentum is the plain one, where Nesterov's was asked",
        change="set nesterov=True",
        probe="the first step: with Nesterov it is 1 + μ times as long",
        apply=of(MOMENTUM, nesterov(False)),
    ),
    "nesterov-extra": Name(
        text="momentum is Nesterov's, where the plain one was asked",
        change="set nesterov=False",
        probe="the first step: with Nesterov it is 1 + μ times as long",
        apply=of(MOMENTUM, nesterov(True)),
    ),
    **{
        id: Name(
            text=f"η is {times} what was asked",
            change=f"pass the learning rate that was asked{look}",
            probe=f"record the loss: its value does not depend on η{follow}",
            apply=number("lr", times=True),
            values=values,
            free=id == "lr-other",
        )
        for id, times, look, follow, values in (
            ("lr-halved", "half of", "; look for a ½ in the loss", FOLLOW, (0.5,)),
            ("lr-doubled", "twice", "; look for a missing ½ in the loss", FOLLOW, (2.0,)),
            ("lr-tenfold", "{value:g} times", "", "", (10.0, 0.1)),
            ("lr-other", "{value:.6g} times", "", "", (0.05, 0.2, 0.4, 0.7, 1.5, 3.0, 7.0, 20.0)),
        )
    },
    "maximize": Name(
        text="steps go uphill: the gradient has the wrong sign",
        change="set maximize=False; subtract the gradient, do not add it",
        probe="the loss after a few small steps",
        apply=maximizing,
        values=(0.0, 1.0),
    ),
    **{id: linked(id, probe) for id, probe in LINKS.items()},
    "eps-other": Name(
        text="ε is {value:.6g} times what was asked",
        change="pass the eps that was asked",
        probe=EPS,
        apply=number("eps", times=True),
        values=(1e-7, 1e-5, 1e-3, 0.1, 10.0, 1e3, 1e5, 1e7),
        free=True,
    ),
    "betas-swapped": Name(
        text="β₁ and β₂ are swapped",
        change="betas=(β₁, β₂): the first is of m, the second of v",
        probe="the second step",
        apply=of(ADAM, lambda o, _: replace(o, betas=(o.betas[1], o.betas[0]))),
    ),
    **{
        f"beta{index + 1}-other": Name(
            text=f"{symbol} is {{value:.6g}}, and not what was asked",
            change="pass the betas that were asked",
            probe="the second step",
            apply=beta(index),
            values=FREE_RATES,
            free=True,
        )
        for index, symbol in enumerate(("β₁", "β₂"))
    },
    "amsgrad-missing": Name(
        text="amsgrad was asked and does not run: v itself is used, not its maximum",
        change="set amsgrad=True",
        probe="gradients that grow smaller",
        apply=of(ADAM, lambda o, _: replace(o, amsgrad=False)),
    ),
    "amsgrad-extra": Name(
        text="amsgrad runs though it was not asked: the maximum of v is used",
        change="set amsgrad=False",
        probe="gradients that grow smaller",
        apply=of(ADAM, lambda o, _: replace(o, amsgrad=True)),
    ),
    "weight-norm": Name(
        text="the weight is trained as length times direction (weight normalisation), not itself",
        change="remove the parametrisation from the layer",
        probe="a step without momentum: the weight leaves the direction of its gradient",
        apply=lambda design, _: weight_norm(design),
    ),
    "state-reset-each-epoch": Name(
        text="the optimizer forgets its state at the start of every epoch: it is made anew",
        change="make the optimizer once, before the first epoch",
        probe="the first step of the second epoch",
        apply=lambda design, _: (
            replace(design, resets=np.diff(design.epoch, prepend=0) > 0) if design.resets is None else None
        ),
    ),
    "step-twice": Name(
        text="optimizer.step() is called twice for each gradient",
        change="call optimizer.step() once",
        probe="momentum, or penalties in the optimizer: without a state two steps are one of twice the length",
        apply=lambda design, _: replace(design, calls=np.full(design.steps, 2)) if design.calls is None else None,
    ),
    **{
        f"{name.replace('_', '-')}-other": Name(
            text=f"{name} is {{value:.6g}}, and not what was asked",
            change=f"pass the {name} that was asked",
            probe=f"another {name}",
            apply=number(name, times=False),
            values=(0.0, *FREE_RATES),
            free=True,
        )
        for name in ("alpha", "rho", "lr_decay", "momentum_decay", "initial_accumulator_value", "lambd")
    },
}
