"""Where the initial weights came from, if not from where they were asked to come.

Equal numbers, a multiple of what was asked, zeros and other constants are seen for certain. A draw from a distribution
is named by its likelihood: that of a linear layer, U(−1/√p, 1/√p), against the one that was asked for, with its own
numbers or with the deviation that the weights have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from parity.step.arithmetics import stored
from refimpl.arithmetic.formats import FORMATS, Format
from refimpl.types import Array

ROUNDINGS = 4
"""Roundings that may lie between what was asked and what was recorded: a layer that is w = 3u has two."""
CLEARLY = math.log(100)
"""How much likelier the one distribution must be than the other."""


@dataclass(frozen=True)
class Start:
    """One parameter that started elsewhere: the fault's name, what it is, and the numbers that show it."""

    id: str
    parameter: str
    text: str
    evidence: str


def starts(asked: Mapping[str, Array], recorded: Mapping[str, Array], features: int, dtype: str) -> list[Start]:
    """Every parameter, ``(1, …)`` each, that did not start at what was asked, rounded to the dtype."""
    differing = {name: np.ravel(asked[name]) for name in recorded if not started(asked[name], recorded[name], dtype)}
    seen = {name: _origin(name, values, np.ravel(recorded[name]), features) for name, values in differing.items()}
    if "weight" in seen and seen["weight"].id == "initial-layer-default" and "bias" in seen:
        bias = float(np.ravel(recorded["bias"])[0])
        if bias != 0 and abs(bias) <= 1 / math.sqrt(features):
            seen["bias"] = _layer_default("bias", f"starts at {bias:.4g}, asked: {differing['bias'][0]:.4g}", features)
    return list(seen.values())


def started(asked: Array, recorded: Array, dtype: str) -> bool:
    """True where it started at what was asked, rounded to the dtype directly or by way of float32."""
    return bool(np.all(recorded == stored(asked, recorded, FORMATS[dtype])))


def nearly(asked: Array, recorded: Array, format: Format) -> bool:
    """Whether a parameter is some roundings off what was asked."""
    return bool(np.all(np.abs(recorded - asked) <= ROUNDINGS * format.half_ulp(np.asarray(asked, float))))


def _origin(name: str, asked: Array, recorded: Array, features: int) -> Start:
    spread = f"deviation {np.std(recorded):.4g}, asked: {np.std(asked):.4g}"
    if len(recorded) == 1:
        spread = f"starts at {recorded[0]:.6g}, asked: {asked[0]:.6g}"
    if not np.any(recorded):
        id = "initial-bias-zero" if name == "bias" else "initial-zeros"
        return Start(id, name, f"{name} starts at 0", spread)
    if len(recorded) > 1 and np.all(recorded == recorded[0]):
        return Start("initial-constant", name, f"every number of {name} starts at {recorded[0]:.6g}", spread)
    if len(recorded) > 1 and np.all(asked != 0):
        ratios = recorded / asked
        if np.ptp(ratios) <= 1e-2 * abs(np.mean(ratios)):
            return Start("initial-scaled", name, f"{name} starts at {np.mean(ratios):.4g} times what was asked", spread)
    if len(recorded) == 1:
        return Start("initial-other-draw", name, f"{name} starts elsewhere", spread)
    layer = _uniform(recorded, 1 / math.sqrt(features))
    same = _normal(recorded, float(np.mean(asked)), float(np.std(asked)))
    other = _normal(recorded, float(np.mean(recorded)), float(np.std(recorded)))
    if layer > same + CLEARLY and layer > other - CLEARLY:
        return _layer_default(name, spread, features)
    if other > same + CLEARLY:
        deviation, times = np.std(recorded), np.std(recorded) / np.std(asked)
        text = f"{name} is drawn with deviation {deviation:.4g}, {times:.3g} times that asked"
        return Start("initial-other-scale", name, text, spread)
    text = f"{name} is another draw: it looks like the distribution that was asked, with other numbers"
    return Start("initial-other-draw", name, text, spread)


def _layer_default(name: str, evidence: str, features: int) -> Start:
    bound = 1 / math.sqrt(features)
    text = f"{name} starts at the layer's own default, U(−1/√p, 1/√p) = U(−{bound:.4g}, {bound:.4g})"
    return Start("initial-layer-default", name, text, evidence)


def _uniform(x: Array, bound: float) -> float:
    """Log-likelihood of U(−bound, bound)."""
    return -len(x) * math.log(2 * bound) if np.max(np.abs(x)) <= bound else -math.inf


def _normal(x: Array, mean: float, deviation: float) -> float:
    """Log-likelihood of N(mean, deviation²)."""
    if deviation == 0:
        return -math.inf
    z = (x - mean) / deviation
    return float(np.sum(-0.5 * z * z - math.log(deviation * math.sqrt(2 * math.pi))))
