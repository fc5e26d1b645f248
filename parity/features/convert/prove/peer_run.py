"""What a library did, against what it may have done: its distance to the exact minimiser, and the bound on it.

J is strongly convex with the modulus m, the smallest eigenvalue of its Hessian, so for any subgradient ``s ∈ ∂J(v)``::

    ‖v − v*‖ ≤ ‖s‖/m      from  m‖v − v*‖² ≤ ⟨s − 0, v − v*⟩ ≤ ‖s‖·‖v − v*‖

in units of what each parameter adds to the outputs (``Sample.units``), so that the units of X do not matter.

A library that *solves* is asked for its minimiser. A library that *steps* takes one step of descent with rate 1 from
the exact minimiser v*: it should stand still, and its step is its own ``∂J``, whence how far from v* it would rest. In
exact arithmetic this s is 0. In floats a sum of products of k terms is off by ``γ_k·Σ|terms|``, ``γ_k = ku/(1 − ku)``,
in any order (Higham, *Accuracy and Stability of Numerical Algorithms*, §3.1), which bounds s: :func:`rounding`.
A direct solver is backward stable, ``‖Δv‖/‖v‖ ≤ γ_{cnp}·κ`` with κ of the Hessian and a small c (§20.3), taken as 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from parity.features.convert.prove.sample import Sample
from refimpl.objective import Objective
from refimpl.types import Array

UNIT, SINGLE = 2.0**-53, 2.0**-24  # of float64 and float32
BESIDE = 2.0**-20  # of a unit, relative to ‖(w, b)‖: so near 0 that little but the sign of a weight sees it
SPARE = 10  # the operations of one residual, one penalty term and one step, beside the sums over rows and columns
DIRECT = 4

How = Literal["run", "recorded", "not installed"]
State = Literal["agree", "disagree", "undecidable", "by formula"]
"""The verdict of a proof."""


@dataclass(frozen=True, kw_only=True)
class PeerRun:
    """``distance`` and ``allowed`` are relative, ‖Δ(w, b)‖/‖(w, b)‖, and None where nothing was run or overflowed."""

    library: str
    how: How
    text: str
    distance: float | None = None
    allowed: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the distance is within the allowed one; None where there is no number."""
        return None if self.distance is None or self.allowed is None else self.distance <= self.allowed

    @property
    def digits(self) -> float | None:
        """Digits of agreement with the exact minimiser, 16 at most."""
        return None if self.distance is None else float(-np.log10(max(self.distance, 1e-16)))


def absent(library: str, package: str) -> PeerRun:
    """The record of a library that is not installed, for which nothing was run."""
    return PeerRun(library=library, how="not installed", text=f"{package} is not installed: by its formula alone")


def direct(library: str, text: str, objective: Objective, sample: Sample, weight: Array, bias: float) -> PeerRun:
    """A minimiser from a direct solver."""
    return solved(library, text, sample, weight, bias, direct_bound(objective, sample))


def direct_bound(objective: Objective, sample: Sample) -> float:
    """γ_{4np}·κ."""
    return gamma(DIRECT * sample.X.size) * float(np.linalg.cond(sample.hessian(objective)))


def solved(library: str, text: str, sample: Sample, weight: Array, bias: float, allowed: float) -> PeerRun:
    """A minimiser from a solver with the relative bound ``allowed`` of its own."""
    return PeerRun(library=library, how="run", text=text, distance=sample.away(weight, bias), allowed=allowed)


def rest(
    library: str,
    text: str,
    objective: Objective,
    sample: Sample,
    step: Callable[[Array, float], tuple[Array, float]],
    unit: float = UNIT,
) -> PeerRun:
    """One step with rate 1 from the exact minimiser: ``step(w, b)`` returns the parameters after it.

    Where wⱼ = 0 and ‖w‖₁ has a kink, it starts just beside, on both sides: 0 ∈ ∂J says that the slopes there are of
    different signs. The distance of 0 to [left slope, right slope] is what counts. What the smooth part of J adds to
    the slopes there, ``|D⁻¹HD⁻¹|·Dδ`` with δ the way beside, is allowed.
    """
    w, zero = sample.weight, (sample.weight == 0) & (objective.l1 > 0)
    beside = np.where(zero, BESIDE * unit * sample.size / sample.units[:-1], 0.0)  # δ
    slopes = []
    for start in (w - beside, w + beside):
        after, bias = step(start, sample.bias)
        slopes.append(np.append(start - after, sample.bias - bias))  # η∂J with η = 1
    left, right = slopes
    gap = np.where(np.append(zero, False), np.maximum(np.maximum(left, -right), 0), right) / sample.units  # D⁻¹s
    hessian = sample.hessian(objective)
    modulus = float(np.linalg.eigvalsh(hessian)[0])  # m
    bound = rounding(objective, sample, unit) / sample.units + np.abs(hessian) @ (sample.units * np.append(beside, 0))
    return PeerRun(
        library=library,
        how="run",
        text=text,
        distance=float(np.linalg.norm(gap) / modulus / sample.size),
        allowed=float(np.linalg.norm(bound) / modulus / sample.size),
    )


def rounding(objective: Objective, sample: Sample, unit: float) -> Array:
    """How far the slope that a step with rate 1 shows at the minimiser can be from 0, elementwise ``(p + 1,)``.

    ``γ_k·((2c/N)·|[X 1]|ᵀ(|X||w| + |b| + |y|) + λ₁ + λ₂|w|) + 2u|v|``: the sums, and v minus the step.
    """
    X, v = np.abs(sample.X), np.abs(np.append(sample.weight, sample.bias))
    n, p = X.shape
    terms = n if objective.loss.reduction == "mean" else 1  # N
    residuals = X @ v[:p] + v[p] + np.abs(sample.y)  # |X||w| + |b| + |y|
    sums = 2 * objective.loss.factor / terms * (np.column_stack([X, np.ones(n)]).T @ residuals)
    sums += np.append(objective.l1 + objective.l2 * v[:p], 0)
    bound: Array = gamma(n + p + SPARE, unit) * sums + 2 * unit * v
    return bound


def gamma(k: int, unit: float = UNIT) -> float:
    """γ_k = ku/(1 − ku)."""
    return k * unit / (1 - k * unit)
