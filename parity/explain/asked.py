"""The laws of a run beside those that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from parity.backends.reference import run_reference
from parity.experiment import Experiment
from parity.explain.law import Law, measure_all
from parity.explain.motion import motions
from parity.explain.words import Sentence, in_words
from parity.formulation import realise
from parity.step.design import Design, as_asked
from refimpl.batches import Order
from refimpl.optimizers import SGD, SGDW
from refimpl.training import hyper_parameters
from refimpl.trajectory import Trajectory

LINEAR = (SGD, SGDW)
"""Optimizers whose update is a linear law."""


def laws_beside(experiment: Experiment, trajectory: Trajectory) -> tuple[Sequence[Law], Sequence[Sentence]]:
    """The law of every parameter, beside that of the reference's own run."""
    form, material = realise(experiment, "loss"), experiment.draw()
    if not all(isinstance(optimizer, LINEAR) for optimizer in form.optimizers.values()):
        return (), ()
    reference = replace(run_reference(experiment, "loss"), inputs=material.inputs)
    asked = measure_all(motions(form, material, reference))
    laws = measure_all(motions(form, material, trajectory), {law.parameter: law for law in asked})
    return laws, in_words(laws, asked, values=_named(as_asked(experiment)), factors=_factors(material.order))


def _named(design: Design) -> dict[str, float]:
    """What coefficients may be called."""
    numbers = hyper_parameters(design.form.optimizers["weight"])
    lr = float(numbers["lr"])
    named = {"η": lr}
    decays = [float(getattr(p, "strength", 0.0)) for n, p in design.form.in_gradient.terms if n == "weight"]
    decays += [float(numbers.get("weight_decay", 0.0))]
    if lam := sum(decays):
        named["η·λ"] = lr * lam
    if momentum := float(numbers.get("momentum", 0.0)):
        named["μ"] = momentum
    return named


def _factors(order: Order) -> dict[str, float]:
    rows = sum(len(batch) for batch in order[0])
    return {"the batch size": float(len(order[0][0])), "the number of rows": float(rows)}
