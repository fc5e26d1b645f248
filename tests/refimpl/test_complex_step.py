"""The gradient of the objective by complex steps: ∂J/∂θ = Im J(θ + ih)/h, with no subtraction, so no cancellation."""

from __future__ import annotations

from typing import Any

import numpy as np

from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.penalties import L2
from refimpl.problem import Problem

STEP = 1e-100


class Analytic:
    """A complex number whose conjugate is itself: inner products of reals stay analytic functions."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def conjugate(self) -> Analytic:
        return self

    def __add__(self, other: Any) -> Analytic:
        return Analytic(self.value + getattr(other, "value", other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Analytic:
        return Analytic(self.value - getattr(other, "value", other))

    def __mul__(self, other: Any) -> Analytic:
        return Analytic(self.value * getattr(other, "value", other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Analytic:
        return Analytic(self.value / getattr(other, "value", other))


def test_the_gradient_agrees_with_complex_steps_to_15_digits() -> None:
    """On a batch of S0, with the penalty on weight and bias; one run for each coordinate that is stepped in."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((1, 5, 200)), rng.standard_normal((1, 5, 1))
    penalties = (L2(strength=3.0, parameters=("weight", "bias")),)
    for reduction, factor in (("mean", 0.5), ("sum", 1.0)):
        problem = Problem(
            model=Linear(),
            loss=SquaredError(factor=factor, reduction=reduction),  # type: ignore[arg-type]
            penalties=penalties,
        )
        theta = rng.standard_normal(201)
        stepped = theta + 1j * STEP * np.eye(201, dtype=np.clongdouble)  # the truth in more digits than it is to check
        analytic = np.frompyfunc(lambda number: Analytic(np.clongdouble(number)), 1, 1)
        params = {"weight": analytic(stepped[:, None, :200]), "bias": analytic(stepped[:, 200:])}
        objective = problem.objective(params, analytic(X), analytic(y))
        by_steps = np.array([number.value.imag / STEP for number in objective]).astype(float)
        exact = problem.gradient({"weight": theta[None, None, :200], "bias": theta[None, 200:]}, X, y)
        by_hand = np.concatenate([exact["weight"].ravel(), exact["bias"].ravel()])
        digits = -np.log10(np.linalg.norm(by_steps - by_hand) / np.linalg.norm(by_hand))
        assert digits >= 15.5, digits
