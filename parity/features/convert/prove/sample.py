"""Data on which a penalty can be seen, and the exact minimiser on them.

A proof with numbers is worth what it would notice. So the data fit the strengths: columns with ``Σxᵢⱼ² ≈ a₂``, where
the squared penalty and the data weigh the same, and targets of such a size that ``a₁`` is a fifth of the least one that
puts all weights to zero, ``2·max|X_cᵀy_c|``. ``seen`` is how far the minimiser moves, relatively, where both double.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parity.errors import Option, OptionError
from parity.features.convert.prove.minimum import minimum
from refimpl.objective import Facts, Objective
from refimpl.types import Array

FEATURES = 3  # 3³ = 27 patterns of signs
LEAST = 1e-12
MOST_ROWS = 10_000  # in rationals, in a second
TRUTH = (1.0, -0.6, 0.05)


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class Sample:
    """``X`` ``(n, p)``, ``y`` ``(n,)``, the minimiser ``weight`` ``(p,)`` and ``bias``; ``seen`` as above."""

    X: Array
    y: Array
    weight: Array
    bias: float
    seen: float

    @property
    def units(self) -> Array:
        """dⱼ = √Σxᵢⱼ² and √n for b, ``(p + 1,)``: dⱼwⱼ is the size of what wⱼ adds to the outputs, in any unit of x."""
        return np.append(np.linalg.norm(self.X, axis=0), np.sqrt(len(self.y)))

    @property
    def size(self) -> float:
        """‖(w, b)‖ in these units, as all distances are."""
        return float(np.linalg.norm(self.units * np.append(self.weight, self.bias)))

    def away(self, weight: Array, bias: float) -> float:
        """‖Δ(w, b)‖/‖(w, b)‖ of other parameters from the minimiser."""
        moved = np.append(weight - self.weight, bias - self.bias)
        return float(np.linalg.norm(self.units * moved) / self.size)

    def hessian(self, objective: Objective) -> Array:
        """∂²J without its kinks, in these units: ``D⁻¹((2c/N)·[X 1]ᵀ[X 1] + λ₂·diag(1, …, 1, 0))D⁻¹``."""
        ones = np.column_stack([self.X, np.ones(len(self.y))])
        terms = len(self.y) if objective.loss.reduction == "mean" else 1  # N
        penalty = objective.l2 * np.diag([1.0] * self.X.shape[1] + [0.0])
        hessian: Array = 2 * objective.loss.factor / terms * ones.T @ ones + penalty
        hessian /= np.outer(self.units, self.units)
        return hessian


def draw(objective: Objective, facts: Facts, *, seed: int = 0) -> Sample:
    """Rows drawn for ``objective``; the columns are those that it penalises. Raises :class:`InputError`."""
    n = facts.known_rows
    if not 2 * FEATURES <= n <= MOST_ROWS:
        allowed = f"{2 * FEATURES} to {MOST_ROWS}"
        raise OptionError(
            Option("rows"),
            f" {n}: ",
            Option("prove"),
            f" draws {FEATURES} columns and solves in rationals; allowed: {allowed}",
        )
    a1, a2 = objective.sum_of_squares(facts)
    for strength in (a1, a2):
        if strength and not LEAST <= strength <= 1 / LEAST:
            allowed = f"{LEAST:g} to {1 / LEAST:g}"
            raise OptionError(
                Option("prove"), f": {strength:g} beside the sum of squares is no scale for data; allowed: 0, {allowed}"
            )
    if facts.sd_y is not None and not LEAST <= facts.sd_y <= 1 / LEAST:
        raise OptionError(
            Option("sd-y"),
            f" {facts.sd_y:g}: ",
            Option("prove"),
            f" draws such targets and squares them; allowed: {LEAST:g} to {1 / LEAST:g}",
        )
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, FEATURES)) + 0.3
    if objective.standardised:
        X = X / X.std(axis=0)  # what the library makes of its columns
    elif a2:
        X = X * np.sqrt(a2 / n)  # Σxᵢⱼ² ≈ a₂
    y = X @ (np.array(TRUTH) / X.std(axis=0)) + 0.5 + 0.1 * rng.standard_normal(n)
    if facts.sd_y is not None:
        y = y * (facts.sd_y / y.std())
    elif a1:
        centred = X - X.mean(axis=0)
        y = y * (a1 / (0.2 * 2 * np.max(np.abs(centred.T @ (y - y.mean())))))  # a₁ = a fifth of 2·max|X_cᵀy_c|
    return solved(X, y, a1, a2)


def solved(X: Array, y: Array, a1: float, a2: float) -> Sample:
    """The sample of given data: its minimiser, and the one for twice the strengths."""
    weight, bias = minimum(X, y, a1, a2)
    at_one = Sample(X=X, y=y, weight=weight, bias=bias, seen=0.0)
    return Sample(X=X, y=y, weight=weight, bias=bias, seen=at_one.away(*minimum(X, y, 2 * a1, 2 * a2)))
