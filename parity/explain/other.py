"""Another optimizer than the one that was asked for, or the same with other numbers, parameter by parameter."""

from __future__ import annotations

from typing import Any

from parity.errors import InputError
from parity.explain.family import Fit, fit
from parity.explain.finding import Finding
from parity.explain.motion import Motion, rate_factor
from parity.step.arithmetics import Rounding
from parity.step.design import Design
from parity.step.engine import Engine
from refimpl.arithmetic.bounded import Bounded
from refimpl.penalties import L2
from refimpl.types import Optimizer


def other_optimizer(design: Design, predictions: Engine) -> list[Finding]:
    """The reference that every parameter follows, fitted to the gradients that correct code has; empty if none does.

    L2 penalties are left to the optimizers, whose decay is fitted with their other numbers.
    """
    recording = predictions.recording
    if design.steps != recording.steps:
        return []
    lam = dict.fromkeys(design.form.optimizers, 0.0)
    for name, penalty in design.form.in_gradient.terms:
        lam[name] += float(penalty.strength) if isinstance(penalty, L2) else 0.0
    plain = design.with_penalties(*(p for p in design.form.in_gradient.penalties if not isinstance(p, L2)))
    gradients = predictions.gradients(plain, Rounding(recording.profiles["loss"]))
    update = recording.profiles["update"]
    fits: dict[str, Fit] = {}
    for name, optimizer in design.form.optimizers.items():
        motion = Motion(
            parameter=name,
            weights=recording.weights[name],
            gradient=Bounded(gradients[name].value, gradients[name].error, update),
            format=recording.formats[name],
            profile=update,
            factor=rate_factor(design, name),
        )
        try:
            best = fit([motion], _asked(optimizer, lam[name]), form_factor=update.form)[0]
        except InputError:
            return []
        if not best.fits or best.optimizer is None:
            return []
        fits[name] = best
    said = {name: repr(one.optimizer) for name, one in fits.items()}
    text = "; ".join(f"{name} steps as {optimizer}" for name, optimizer in said.items())
    asked = repr(design.form.optimizers["weight"])
    worst = max(one.share for one in fits.values())
    return [
        Finding(
            id="optimizer-other",
            text=text,
            evidence=f"asked: {asked}, λ = {lam['weight']:g}; all steps lie within the tolerance, at {worst:.2f} of it",
            change="make the optimizer with the numbers that were asked, for every parameter group",
        )
    ]


def _asked(optimizer: Optimizer, lam: float) -> dict[str, Any]:
    """The optimizer's numbers and options, with the penalty as its decay."""
    asked = dict(vars(optimizer))
    asked["weight_decay"] = float(asked.get("weight_decay", 0.0)) + lam
    return asked
