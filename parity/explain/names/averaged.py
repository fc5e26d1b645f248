"""What was recorded is made of the trained weights, and is not these.

It is a running average of them, Nesterov's base point, or one parameter of a step before.

With ``a_k = β·a_{k−1} + (1 − β)·w_k``, a₀ = w₀, the trained weights are ``w_k = (a_k − β·a_{k−1})/(1 − β)``. The first
step of the average is 1 − β times the asked one, which gives β.

Nesterov's momentum as in the paper keeps a base point θ, steps it by v = μ·v − η·g, and takes the gradient ahead of it,
at ``w_k = θ_k + μ·v_k = θ_k + μ·(θ_k − θ_{k−1})``. Frameworks keep w itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from parity.step.design import Design
from parity.step.engine import Engine
from parity.step.recording import Recording
from refimpl.types import Array

DIGITS = 3
"""Significant digits of β."""


def readings(design: Design, engine: Engine) -> Iterator[tuple[str, Recording]]:
    """The trained weights, if what was recorded are averages of them, and the average in words."""
    recording = engine.recording
    if design.steps != recording.steps or recording.steps < 3:
        return
    if not recording.written:
        yield from _one_late(recording)
    with np.errstate(all="ignore"):
        predicted = engine.weights([design])
    for first in (0, 1):
        beta = _beta(recording, predicted, first)
        if beta is not None:
            trained = _trained(recording, beta, first)
            begin = "its first update copies the weights" if first else "it begins with the initial weights"
            words = f"the moving average a ← {beta:g}·a + {1 - beta:.3g}·w of the weights, {begin}"
            yield words, trained
    momentum = {
        getattr(o, "momentum", 0.0) * bool(getattr(o, "nesterov", False)) for o in design.form.optimizers.values()
    }
    if len(momentum) == 1 and 0 not in momentum:
        mu = float(next(iter(momentum)))
        words = f"the base point θ of Nesterov's momentum (w = θ + μ·v, μ = {mu:g}, is where the gradient is taken)"
        yield words, _extrapolated(recording, mu)


def _one_late(recording: Recording) -> Iterator[tuple[str, Recording]]:
    """Parameters as they were a step before, all or one of them: the recorded ones are put beside each other."""
    weights = recording.weights
    if all(np.array_equal(values[0], values[1]) for values in weights.values()):
        late = {n: values[1:] for n, values in weights.items()}
        words = "the weights of one step before, in every report"
        yield words, replace(recording, weights=late, written={}, loss=None, ignored={})
    for name, values in weights.items():
        others = " and ".join(other for other in recording.weights if other != name)
        if others and np.array_equal(values[0], values[1]):
            beside = {n: its[1:] if n == name else its[:-1] for n, its in weights.items()}
            words = f"the {name} of one step before, beside the {others} of now"
            yield words, replace(recording, weights=beside, written={}, loss=None, ignored={})


def _beta(recording: Recording, predicted: dict[str, Array], first: int) -> float | None:
    """1 − the first averaged step ÷ the asked one; None where that is no such number."""
    weights = recording.weights["weight"].reshape(recording.steps + 1, -1)
    asked = predicted["weight"][0].reshape(recording.steps, -1)[first] - weights[first]
    moved = weights[first + 1] - weights[first]
    square = float(asked @ asked)
    if not square:
        return None
    beta = float(f"{1 - float(moved @ asked) / square:.{DIGITS}g}")
    return beta if 0 < beta < 1 else None


def _extrapolated(recording: Recording, mu: float) -> Recording:
    """θ_k + μ·(θ_k − θ_{k−1}), known to the roundings of both."""
    weights, written = {}, {}
    for name, base in recording.weights.items():
        before = np.concatenate([base[:1], base[:-1]])
        weights[name] = base + mu * (base - before)
        room = 4 * recording.formats[name].half_ulp(np.abs(base) + np.abs(before)) * (1 + mu)
        written[name] = np.asarray(room, float)
        written[name][0] = 0.0
    return replace(recording, weights=weights, written=written)


def _trained(recording: Recording, beta: float, first: int) -> Recording:
    """The weights whose averages were recorded, known to the roundings of the average ÷ (1 − β)."""
    weights, written = {}, {}
    for name, average in recording.weights.items():
        before = np.concatenate([average[:1], average[:-1]])
        trained = (average - beta * before) / (1 - beta)
        trained[: first + 1] = average[: first + 1]
        room = 4 * recording.formats[name].half_ulp(np.abs(average) + np.abs(before)) / (1 - beta)
        room[: first + 1] = 0.0
        weights[name], written[name] = trained, np.asarray(room, float)
    return replace(recording, weights=weights, written=written)
