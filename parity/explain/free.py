"""What a free run of a design may have as its losses and norms, in every way in which people report them.

Each design is run freely from the experiment's own start, beside copies that are pushed at every step by what one
correct step may be off. What a value may be off is the rounding of the value itself at the same weights, and
:data:`ROOM` times the farthest of the copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.explain.readings import ReportedSeries, bases, norms, rows_of
from parity.step.design import Design
from parity.step.engine import Engine
from parity.step.free import random_push, simulate
from parity.step.passes import Pass
from parity.step.recording import Recording
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.reductions import norm
from refimpl.types import Array

COPIES = 16
"""Runs that are pushed at every step, to see how far correct ones may drift apart."""
ROOM = 4.0
"""Times the farthest of them: how much farther others may."""


@dataclass(frozen=True)
class Free:
    """``losses`` ``(K,)`` and ``norms`` ``(K + 1,)`` by what they are called; ``weights`` ``(K + 1, …)`` and how far
    the copies are from them."""

    design: Design
    losses: Mapping[str, ReportedSeries]
    norms: Mapping[str, ReportedSeries]
    weights: Mapping[str, ReportedSeries]
    engine: Engine

    def with_values_of(self, other: Design, *, losses: bool = True) -> Free:
        """Another design's values with the room of this one: a first look that costs one plain run."""
        run = simulate(other)
        weights = {name: ReportedSeries(values[:, 0], self.weights[name].room) for name, values in run.weights.items()}
        lengths = _lengths(other, run.weights)
        of_norms = {
            name: ReportedSeries(one.value[:, 0], self.norms[name].room) for name, one in norms(lengths).items()
        }
        found = _losses(other, run.weights) if losses else {}
        room = {"loss as asked": self.losses["loss"].room} | {name: one.room for name, one in self.losses.items()}
        of_steps = {name: ReportedSeries(values[:, 0], room[name]) for name, values in found.items() if name in room}
        return replace(self, design=other, losses=of_steps, norms=of_norms, weights=weights)


@np.errstate(all="ignore")
def free(design: Design, profile: Profile) -> Free:
    """A design's free run in the arithmetic of ``profile``."""
    format = profile.compute
    design = _rounded(design, format.name)
    plain = simulate(design)
    recording = Recording(
        weights={name: values[:, 0] for name, values in plain.weights.items()},
        loss=plain.loss[:, 0],
        dtype=format.name,
        profiles={"loss": profile, "update": profile},
        formats=dict.fromkeys(plain.weights, format),
    )
    engine = Engine(recording)
    steps: dict[str, list[Array]] = {name: [] for name in plain.weights}
    for piece in engine.expected(design):
        steps[piece.quantity.parameter].append(np.asarray(piece.allowance[0], float))
    runs = simulate(design, runs=COPIES + 1, push=random_push({name: np.stack(some) for name, some in steps.items()}))
    at_weights = dict(bases(design, engine))
    if design.form.in_gradient.loss != design.form.objective.loss:
        as_asked = design.with_loss(design.form.objective.loss)
        at_weights["loss as asked"] = next(bases(as_asked, engine))[1]
    losses = {}
    for name, copies in _losses(design, runs.weights).items():
        value, allowance = (np.asarray(x, float) for x in (at_weights[name].value, at_weights[name].allowance))
        losses[name] = ReportedSeries(value, _drift(copies) + allowance)
    bounded = {name: Bounded.tensor(values, profile) for name, values in recording.weights.items()}
    roundings = norms({every: norm(*some) for every, some in _chosen(design, bounded).items()}, profile)
    of_norms = {
        name: ReportedSeries(copies.value[:, 0], _drift(copies.value) + np.asarray(roundings[name].room, float))
        for name, copies in norms(_lengths(design, runs.weights)).items()
    }
    weights = {name: ReportedSeries(values[:, 0], _drift(values)) for name, values in runs.weights.items()}
    return Free(design, losses, of_norms, weights, engine)


def _drift(copies: Array) -> Array:
    """``(K, copies, …)`` → ``(K, …)``."""
    drift: Array = ROOM * np.abs(copies[:, 1:] - copies[:, :1]).max(axis=1)
    return drift


def _losses(design: Design, weights: Mapping[str, Array]) -> dict[str, Array]:
    """Every loss of :func:`~parity.explain.readings.bases`, of every copy ``(K, copies)``."""
    dataset, problem, asked = design.material.dataset, design.form.in_gradient, design.form.objective
    found: dict[str, list[Array]] = {}
    for read, chosen in rows_of(design):
        for when, by in (("", 0), (" after the step", 1)):
            for k, rows in enumerate(chosen.rows):
                params = {name: values[k + by] for name, values in weights.items()}
                made = Pass(chosen, np.array([k]), problem, params, dataset.X[:, rows], dataset.y[:, rows])
                as_asked = asked.objective_from(made.loss, params)
                values = {"loss": made.loss, "objective": made.objective, "objective as asked": as_asked}
                if not read and not when and problem.loss != asked.loss:
                    values["loss as asked"] = asked.loss.value(made.outputs, made.y)
                for name, value in values.items():
                    found.setdefault(f"{name}{read}{when}", []).append(value)
    return {name: np.stack(values) for name, values in found.items()}


def _chosen(design: Design, weights: Mapping[str, Any]) -> dict[bool, list[Any]]:
    """The parameters that norms are of: the weights alone, and, where there are others, all."""
    alone = [weights[name] for name in design.form.in_gradient.model.weights]
    return {False: alone, True: list(weights.values())} if len(weights) > len(alone) else {False: alone}


def _lengths(design: Design, weights: Mapping[str, Array]) -> dict[bool, Array]:
    """The norms of every copy ``(K + 1, copies)``."""
    return {
        every: np.stack([norm(*moment) for moment in zip(*some, strict=True)])
        for every, some in _chosen(design, weights).items()
    }


def _rounded(design: Design, dtype: str) -> Design:
    """Data and initial weights in the dtype of the log."""
    format, material = FORMATS[dtype], design.material
    params = {name: np.asarray(format.round(values), float) for name, values in material.params.items()}
    X, y = (np.asarray(format.round(values), float) for values in (material.dataset.X, material.dataset.y))
    return replace(design, material=replace(material, params=params)).with_data(X=X, y=y)
