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

from parity.explain.readings import NORMS, all_rows, bases, with_bias
from parity.step.design import Design
from parity.step.engine import Engine
from parity.step.expected import expect
from parity.step.free import random_push, simulate
from parity.step.quantity import Quantity
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
class Series:
    """One quantity of every step: its value, and how far a run of the same design may be from it."""

    value: Array
    room: Array

    def mapped(self, matrices: Array, u: float) -> Series:
        """``A @ value`` for every one of ``(maps, rows, K)``: ``(maps, rows)``; the sums round, too."""
        size = np.abs(matrices)
        room = size @ self.room + matrices.shape[-1] * u * (size @ (np.abs(self.value) + self.room))
        return Series(matrices @ self.value, room)


@dataclass(frozen=True)
class Free:
    """``losses`` ``(K,)`` and ``norms`` ``(K + 1,)`` by what they are called; ``weights`` ``(K + 1, …)`` and how far
    the copies are from them."""

    design: Design
    losses: Mapping[str, Series]
    norms: Mapping[str, Series]
    weights: Mapping[str, Series]
    engine: Engine

    def with_values_of(self, other: Design, *, losses: bool = True) -> Free:
        """Another design's values with the room of this one: a first look that costs one plain run."""
        run = simulate(other)
        weights = {name: Series(values[:, 0], self.weights[name].room) for name, values in run.weights.items()}
        norms = {n: Series(v[:, 0], self.norms[n].room) for n, v in _norms(other, run.weights).items()}
        found = _losses(other, run.weights) if losses else {}
        room = {"loss as asked": self.losses["loss"].room} | {name: one.room for name, one in self.losses.items()}
        of_steps = {name: Series(values[:, 0], room[name]) for name, values in found.items()}
        return replace(self, design=other, losses=of_steps, norms=norms, weights=weights)


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
    at_weights = {base.name: base.expected for base in bases(design, engine)}
    if design.form.in_gradient.loss != design.form.objective.loss:
        as_asked = design.with_loss(design.form.objective.loss)
        at_weights["loss as asked"] = next(bases(as_asked, engine)).expected
    losses = {
        name: Series(np.asarray(at_weights[name].value, float), _drift(copies) + _allowance(at_weights[name]))
        for name, copies in _losses(design, runs.weights).items()
    }
    norms = {}
    for name, copies in _norms(design, runs.weights).items():
        norms[name] = Series(copies[:, 0], _drift(copies) + _of_norm(name, recording, design, profile))
    weights = {name: Series(values[:, 0], _drift(values)) for name, values in runs.weights.items()}
    return Free(design, losses, norms, weights, engine)


def _drift(copies: Array) -> Array:
    """``(K, copies, …)`` → ``(K, …)``."""
    drift: Array = ROOM * np.abs(copies[:, 1:] - copies[:, :1]).max(axis=1)
    return drift


def _allowance(piece: Any) -> Array:
    return np.asarray(piece.allowance, float)


def _losses(design: Design, weights: Mapping[str, Array]) -> dict[str, Array]:
    """Every loss of :func:`~parity.explain.readings.bases`, of every copy ``(K, copies)``."""
    dataset, problem, asked = design.material.dataset, design.form.in_gradient, design.form.objective
    found: dict[str, list[Array]] = {}
    for rows_of, chosen in (("", design.rows), (" of all rows", all_rows(design).rows)):
        for when, by in (("", 0), (" after the step", 1)):
            for k, rows in enumerate(chosen):
                params = {name: values[k + by] for name, values in weights.items()}
                outputs, y = problem.model.forward(params, dataset.X[:, rows]), dataset.y[:, rows]
                loss = problem.loss.value(outputs, y)
                times = 1.0 if design.penalty_times is None else design.penalty_times[k]
                penalty = problem.objective_from(0 * loss, params)
                values = {
                    "loss": loss,
                    "objective": loss + times * penalty,
                    "objective as asked": asked.objective_from(loss, params),
                }
                if not rows_of and not when and problem.loss != asked.loss:
                    values["loss as asked"] = asked.loss.value(outputs, y)
                for name, value in values.items():
                    found.setdefault(f"{name}{rows_of}{when}", []).append(value)
    return {name: np.stack(values) for name, values in found.items()}


def _norms(design: Design, weights: Mapping[str, Array]) -> dict[str, Array]:
    """Every form of the norm, of every copy ``(K + 1, copies)``."""
    found: dict[str, Array] = {}
    of_weights = design.form.in_gradient.model.weights
    for every in (False, True) if len(weights) > len(of_weights) else (False,):
        chosen = [weights[name] for name in (weights if every else of_weights)]
        length = np.stack([norm(*(values[k] for values in chosen)) for k in range(len(chosen[0]))])
        found |= {with_bias(name) if every else name: f(length) for name, f, _ in NORMS}
    return found


def _of_norm(name: str, recording: Recording, design: Design, profile: Profile) -> Array:
    """What the norm of the same weights may be off by rounding, and what is made of it by a few more roundings."""
    every = "b" in name
    chosen = recording.weights if every else design.form.in_gradient.model.weights
    weights: Any = [Bounded.tensor(recording.weights[one], profile) for one in chosen]
    length: Any = norm(*weights)
    piece = expect(Quantity("norm"), np.arange(len(length)), length.value, length, profile.compute)
    f, slope = next((f, slope) for form, f, slope in NORMS if (with_bias(form) if every else form) == name)
    value = np.asarray(length.value, float)
    roundings: Array = np.asarray(slope(value) * np.asarray(piece.allowance, float) + 4 * profile.compute.u * f(value))
    return roundings


def _rounded(design: Design, dtype: str) -> Design:
    """Data and initial weights in the dtype of the log."""
    format, material = FORMATS[dtype], design.material
    params = {name: np.asarray(format.round(values), float) for name, values in material.params.items()}
    X, y = (np.asarray(format.round(values), float) for values in (material.dataset.X, material.dataset.y))
    return replace(design, material=replace(material, params=params)).with_data(X=X, y=y)
