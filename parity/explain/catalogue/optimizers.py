"""The optimizer's recurrence and its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np

from parity.explain.catalogue.gradients import mixed
from parity.explain.catalogue.name import Apply, Name, map_optimizers
from parity.explain.catalogue.penalties import moved
from parity.explain.faults.adam import FaultyAdam
from parity.explain.faults.sgd import FaultySGD, WeightNormSGD
from parity.step.design import Design
from refimpl.errors import RefimplError
from refimpl.optimizers import OPTIMIZERS, SGD, SGDW, Adam, AdamW
from refimpl.types import number_fields, off

MOMENTUM = (SGD, SGDW)
ADAM = (Adam, AdamW)
EARLY = "the first steps, where the correction is large"
EPS = "small gradients, where ε is not small beside √v"


def of(kinds: tuple[type, ...], change: Callable[[Any, float], Any]) -> Apply:
    """A change of the optimizers of some classes; what they refuse makes no sense."""

    def apply(design: Design, value: float) -> Design | None:
        try:
            return map_optimizers(design, kinds, lambda optimizer: change(optimizer, value))
        except RefimplError:
            return None

    return apply


def faulty(optimizer: Any, **switches: Any) -> Any:
    """The faulty relative of an optimizer, with its numbers."""
    kind = FaultySGD if isinstance(optimizer, SGD) else FaultyAdam
    given = {f.name: getattr(optimizer, f.name) for f in fields(kind) if hasattr(optimizer, f.name)}
    decoupled = {"decoupled_weight_decay": True} if isinstance(optimizer, AdamW) else {}
    return kind(**{**given, **decoupled, **switches})


def adam(**switches: Any) -> Apply:
    return of(ADAM, lambda optimizer, _: faulty(optimizer, **switches))


def with_momentum(optimizer: Any, value: float) -> Any:
    return replace(optimizer, momentum=value) if off(optimizer.momentum) else optimizer


def other_momentum(optimizer: Any, value: float) -> Any:
    return optimizer if off(optimizer.momentum) else replace(optimizer, momentum=value)


def without_momentum(optimizer: Any, _: float) -> Any:
    if type(optimizer) in ADAM:
        return replace(optimizer, betas=(0.0, optimizer.betas[1]))
    return replace(optimizer, momentum=0.0, dampening=0.0, nesterov=False)


def dampened(optimizer: Any, value: float) -> Any:
    """Another τ of momentum; nan: τ = μ."""
    if off(optimizer.momentum):
        return optimizer
    return replace(optimizer, dampening=optimizer.momentum if np.isnan(value) else value)


def first_dampened(optimizer: Any, _: float) -> Any:
    if off(optimizer.momentum) or off(optimizer.dampening):
        return optimizer
    return faulty(optimizer, first_dampened=True)


def averaged(optimizer: Any, _: float) -> Any:
    if off(optimizer.momentum) or optimizer.nesterov:
        return optimizer
    return faulty(optimizer, first_dampened=True, dampening=optimizer.momentum)


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


def begins_epoch(design: Design) -> Any:
    return np.diff(design.epoch, prepend=0) > 0


FREE_RATES = (0.01, 0.1, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999)

OPTIMIZER = (
    Name(
        id="momentum-missing",
        kind="optimizer",
        text="there is no momentum (β₁ = 0 for Adam)",
        change="pass the momentum to the optimizer",
        probe="the second step: the first one is the same with and without",
        apply=of((*MOMENTUM, *ADAM), without_momentum),
    ),
    Name(
        id="momentum-extra",
        kind="optimizer",
        text="there is momentum {value:.6g}, where none was asked",
        change="set momentum=0",
        probe="the second step: the first one is the same with and without",
        apply=of(MOMENTUM, with_momentum),
        values=FREE_RATES,
        free=True,
    ),
    Name(
        id="momentum-other",
        kind="optimizer",
        text="the momentum is {value:.6g}, and not what was asked",
        change="pass the momentum that was asked",
        probe="the second step",
        apply=of(MOMENTUM, other_momentum),
        values=FREE_RATES,
        free=True,
    ),
    Name(
        id="dampening-extra",
        kind="optimizer",
        text="momentum is dampened: b ← μb + (1 − τ)g with τ = μ, an average where torch keeps a sum",
        change="set dampening=0; torch's momentum is b ← μb + g",
        probe="the second step: the first one is undampened in torch",
        apply=of(MOMENTUM, dampened),
    ),
    Name(
        id="dampening-missing",
        kind="optimizer",
        text="momentum is not dampened, where it was asked",
        change="pass the dampening that was asked",
        probe="the second step: the first one is undampened in torch",
        apply=of(MOMENTUM, dampened),
        values=(0.0,),
    ),
    Name(
        id="dampening-other",
        kind="optimizer",
        text="momentum is dampened with τ = {value:.6g}, and not as asked",
        change="pass the dampening that was asked",
        probe="the second step: the first one is undampened in torch",
        apply=of(MOMENTUM, dampened),
        values=(0.1, 0.3, 0.5, 0.7, 0.9),
        free=True,
    ),
    Name(
        id="first-step-dampened",
        kind="optimizer",
        text="the first step is dampened, too: b starts as (1 − τ)g, where torch starts with g",
        change="start the momentum buffer with the first gradient itself",
        probe="the first step alone",
        apply=of((SGD,), first_dampened),
    ),
    Name(
        id="momentum-averaged",
        kind="optimizer",
        text="momentum is an average, b ← μb + (1 − μ)g from the first step on, where torch keeps the sum b ← μb + g",
        change="do not multiply the gradient by 1 − μ, or make η larger by 1/(1 − μ)",
        probe="the first step, which is shorter by the factor 1 − μ",
        apply=of((SGD,), averaged),
    ),
    Name(
        id="nesterov-missing",
        kind="optimizer",
        text="momentum is the plain one, where Nesterov's was asked",
        change="set nesterov=True",
        probe="the first step: with Nesterov it is 1 + μ times as long",
        apply=of(MOMENTUM, nesterov(False)),
    ),
    Name(
        id="nesterov-extra",
        kind="optimizer",
        text="momentum is Nesterov's, where the plain one was asked",
        change="set nesterov=False",
        probe="the first step: with Nesterov it is 1 + μ times as long",
        apply=of(MOMENTUM, nesterov(True)),
    ),
    Name(
        id="lr-halved",
        kind="optimizer",
        text="η is half of what was asked",
        change="pass the learning rate that was asked; look for a ½ in the loss",
        probe="record the loss: its value does not depend on η; momentum and decay follow η, too",
        apply=number("lr", times=True),
        values=(0.5,),
    ),
    Name(
        id="lr-doubled",
        kind="optimizer",
        text="η is twice what was asked",
        change="pass the learning rate that was asked; look for a missing ½ in the loss",
        probe="record the loss: its value does not depend on η; momentum and decay follow η, too",
        apply=number("lr", times=True),
        values=(2.0,),
    ),
    Name(
        id="lr-tenfold",
        kind="optimizer",
        text="η is {value:g} times what was asked",
        change="pass the learning rate that was asked",
        probe="record the loss: its value does not depend on η",
        apply=number("lr", times=True),
        values=(10.0, 0.1),
    ),
    Name(
        id="lr-other",
        kind="optimizer",
        text="η is {value:.6g} times what was asked",
        change="pass the learning rate that was asked",
        probe="record the loss: its value does not depend on η",
        apply=number("lr", times=True),
        values=(0.05, 0.2, 0.4, 0.7, 1.5, 3.0, 7.0, 20.0),
        free=True,
    ),
    Name(
        id="maximize",
        kind="optimizer",
        text="steps go uphill: the gradient has the wrong sign",
        change="set maximize=False; subtract the gradient, do not add it",
        probe="the loss after a few small steps",
        apply=maximizing,
        values=(0.0, 1.0),
    ),
    Name(
        id="bias-correction-missing-first",
        kind="optimizer",
        text="m is not divided by 1 − β₁ᵗ",
        change="divide exp_avg by 1 − β₁ᵗ",
        probe=EARLY,
        apply=adam(uncorrected_first=True),
    ),
    Name(
        id="bias-correction-missing-second",
        kind="optimizer",
        text="v is not divided by 1 − β₂ᵗ",
        change="divide exp_avg_sq by 1 − β₂ᵗ",
        probe=EARLY,
        apply=adam(uncorrected_second=True),
    ),
    Name(
        id="bias-correction-missing-both",
        kind="optimizer",
        text="neither m nor v is corrected for its start from 0",
        change="divide exp_avg by 1 − β₁ᵗ and exp_avg_sq by 1 − β₂ᵗ",
        probe=EARLY,
        apply=adam(uncorrected_first=True, uncorrected_second=True),
    ),
    Name(
        id="bias-correction-late",
        kind="optimizer",
        text="the count t of the bias correction lags one step behind",
        change="count the step before the correction, not after it",
        probe="the second step: the first one is the same",
        apply=adam(late=1),
    ),
    Name(
        id="eps-inside-root",
        kind="optimizer",
        text="ε is added inside the root: √(v̂ + ε), where √v̂ + ε was asked",
        change="add ε after the root",
        probe=EPS,
        apply=adam(eps_place="inside"),
    ),
    Name(
        id="eps-before-correction",
        kind="optimizer",
        text="ε is added before the correction: (√v + ε)/√(1 − β₂ᵗ)",
        change="add ε after v was corrected",
        probe=EPS,
        apply=adam(eps_place="before"),
    ),
    Name(
        id="eps-missing",
        kind="optimizer",
        text="ε is missing from the denominator",
        change="add ε to √v̂",
        probe=EPS,
        apply=adam(eps_place="nowhere"),
    ),
    Name(
        id="eps-other",
        kind="optimizer",
        text="ε is {value:.6g} times what was asked",
        change="pass the eps that was asked",
        probe=EPS,
        apply=number("eps", times=True),
        values=(1e-7, 1e-5, 1e-3, 0.1, 10.0, 1e3, 1e5, 1e7),
        free=True,
    ),
    Name(
        id="betas-swapped",
        kind="optimizer",
        text="β₁ and β₂ are swapped",
        change="betas=(β₁, β₂): the first is of m, the second of v",
        probe="the second step",
        apply=of(ADAM, lambda o, _: replace(o, betas=(o.betas[1], o.betas[0]))),
    ),
    Name(
        id="beta1-other",
        kind="optimizer",
        text="β₁ is {value:.6g}, and not what was asked",
        change="pass the betas that were asked",
        probe="the second step",
        apply=beta(0),
        values=FREE_RATES,
        free=True,
    ),
    Name(
        id="beta2-other",
        kind="optimizer",
        text="β₂ is {value:.6g}, and not what was asked",
        change="pass the betas that were asked",
        probe="the second step",
        apply=beta(1),
        values=FREE_RATES,
        free=True,
    ),
    Name(
        id="amsgrad-missing",
        kind="optimizer",
        text="amsgrad was asked and does not run: v itself is used, not its maximum",
        change="set amsgrad=True",
        probe="gradients that grow smaller",
        apply=of(ADAM, lambda o, _: replace(o, amsgrad=False)),
    ),
    Name(
        id="amsgrad-extra",
        kind="optimizer",
        text="amsgrad runs though it was not asked: the maximum of v is used",
        change="set amsgrad=False",
        probe="gradients that grow smaller",
        apply=of(ADAM, lambda o, _: replace(o, amsgrad=True)),
    ),
    Name(
        id="amsgrad-after-correction",
        kind="optimizer",
        text="amsgrad takes the maximum of the corrected v̂, where torch takes that of v and corrects it",
        change="take the maximum of exp_avg_sq before the bias correction",
        probe="gradients that grow smaller, in the first steps",
        apply=of(ADAM, lambda o, _: faulty(o, amsgrad=True, corrected_maximum=True)),
    ),
    Name(
        id="second-moment-of-decayed-gradient",
        kind="optimizer",
        text="v averages the square of g + λw, though the decay is decoupled",
        change="update exp_avg_sq with the gradient alone",
        probe="a large λ",
        apply=of(ADAM, lambda o, _: faulty(o, second_of_decayed=True) if not off(o.weight_decay) else o),
    ),
    Name(
        id="second-moment-undecayed",
        kind="optimizer",
        text="v ← β₂v + g²: the factor 1 − β₂ is missing",
        change="v ← β₂v + (1 − β₂)g²",
        probe="the first step",
        apply=adam(undamped_second=True),
    ),
    Name(
        id="lr-times-momentum",
        kind="optimizer",
        text="the velocity holds η·g, where torch multiplies by η when it is applied: they differ where η changes",
        change="keep the gradient in the buffer and multiply by the η of the moment",
        probe="a schedule that moves η",
        apply=lambda design, _: (
            of((SGD,), lambda o, _: o if off(o.momentum) else faulty(o, rate_inside=True))(design, 0.0)
            if moved(design)
            else None
        ),
    ),
    Name(
        id="weight-norm",
        kind="optimizer",
        text="the weight is trained as length times direction (weight normalisation), not itself",
        change="remove the parametrisation from the layer",
        probe="a step without momentum: the weight leaves the direction of its gradient",
        apply=lambda design, _: weight_norm(design),
    ),
    Name(
        id="state-reset-each-epoch",
        kind="optimizer",
        text="the optimizer forgets its state at the start of every epoch: it is made anew",
        change="make the optimizer once, before the first epoch",
        probe="the first step of the second epoch",
        apply=lambda design, _: replace(design, resets=begins_epoch(design)) if design.resets is None else None,
    ),
    Name(
        id="step-twice",
        kind="optimizer",
        text="optimizer.step() is called twice for each gradient",
        change="call optimizer.step() once",
        probe="momentum, or penalties in the optimizer: without a state two steps are one of twice the length",
        apply=lambda design, _: replace(design, calls=np.full(design.steps, 2)) if design.calls is None else None,
    ),
    *(
        Name(
            id=f"{name.replace('_', '-')}-other",
            kind="optimizer",
            text=f"{name} is {{value:.6g}}, and not what was asked",
            change=f"pass the {name} that was asked",
            probe=f"another {name}",
            apply=number(name, times=False),
            values=(0.0, *FREE_RATES),
            free=True,
        )
        for name in ("alpha", "rho", "lr_decay", "momentum_decay", "initial_accumulator_value", "lambd")
    ),
)
