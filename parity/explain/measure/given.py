"""The gradient that each step was given: as it was recorded, or as the asked update needs it.

The optimizers of SGD's family are affine in the gradient, elementwise: ``w⁺ = a + s·g`` with a, s known from the state.
A run of which only the weights are known gives its gradients back by::

    g_k = (w_{k+1} − a_k)/s_k          if its update is the one that was asked
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from parity.step.arithmetics import Rounding
from parity.step.design import Design
from parity.step.engine import Engine
from refimpl.optimizers import SGD, SGDW
from refimpl.training import scheduled
from refimpl.types import Array

AFFINE = (SGD, SGDW)
Source = Literal["backward", "optimizer", "weights"]
"""Where a gradient is known from: the backward pass, the optimizer's ``.grad``, or the weights alone."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """``value`` by parameter ``(K, n)``, which is within ± ``error`` ``(K, n)`` of what exact arithmetic gives;
    where it is known from; ``unit``: unit roundoff of the sums that it is, 0 where it was not recorded."""

    value: Mapping[str, Array]
    error: Mapping[str, Array]
    source: Source
    unit: float = 0.0


def recorded(gradients: Mapping[str, Array], design: Design, engine: Engine, source: Source) -> Given | None:
    """Gradients that were recorded at every step of every parameter; None where some are missing.

    They are the sums of a correct implementation of something: their rounding error is taken to be that of the asked
    gradient, in proportion to their size.
    """
    names = tuple(engine.recording.weights)
    steps = engine.recording.steps
    if design.steps != steps or any(name not in gradients or len(gradients[name]) != steps for name in names):
        return None
    value = {name: np.asarray(gradients[name], float).reshape(steps, -1) for name in names}
    if not all(np.isfinite(each).all() for each in value.values()):
        return None
    asked = engine.gradients(design, Rounding(engine.recording.profiles["loss"]))
    error = {}
    sizes = {name: np.linalg.norm(each, axis=1) for name, each in value.items()}
    usual = {name: np.linalg.norm(np.asarray(asked[name].value, float).reshape(steps, -1), axis=1) for name in names}
    with np.errstate(all="ignore"):  # of all together, as one number may cancel to 0 by rounding
        together = np.linalg.norm([*sizes.values()], axis=0) / np.linalg.norm([*usual.values()], axis=0)
    for name in names:
        with np.errstate(all="ignore"):
            times = np.nan_to_num(np.fmax(sizes[name] / usual[name], together), nan=1.0, posinf=1.0)
            times = np.where(times > 0.5, np.maximum(times, 1.0), times)  # a rounded gradient may be the shorter one
        error[name] = np.asarray(asked[name].error, float).reshape(steps, -1) * times[:, None]
    profile = engine.recording.profiles["loss"]
    unit = float(max(profile.u(profile.compute), profile.u(profile.accumulate)))
    return Given(value=value, error=error, source=source, unit=unit)


def inverted(design: Design, engine: Engine) -> Given | None:
    """What the asked update would have needed; None where the update is not affine in the gradient."""
    recording = engine.recording
    affine = all(type(optimizer) in AFFINE for optimizer in design.form.optimizers.values())
    if not affine or design.steps != recording.steps or design.calls is not None or design.frozen:
        return None
    allowance = engine.allowances(design)
    value, error = {}, {}
    for name, weights in recording.weights.items():
        base: Any = design.form.optimizers[name]
        state: Any = base.init(weights[:1])
        gradients, bars = [], []
        for k in range(recording.steps):
            optimizer: Any = scheduled(base, design.form.schedule, int(design.advances[k]))
            w = weights[k : k + 1]
            at_0, at_1 = (optimizer.step(w, np.full_like(w, g), state)[0] for g in (0.0, 1.0))
            with np.errstate(all="ignore"):
                g = (weights[k + 1 : k + 2] - at_0) / (at_1 - at_0)
            if not np.isfinite(g).all():
                return None
            _, state = optimizer.step(w, g, state)
            gradients.append(g.reshape(-1))
            bars.append(allowance[name][k] / np.abs(at_1 - at_0).reshape(-1))
        value[name], error[name] = np.array(gradients), np.array(bars)
    return Given(value=value, error=error, source="weights")
