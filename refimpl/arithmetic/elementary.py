"""What formulas in whole numbers need to run in every arithmetic: exact integers, cube roots, cos πx, choices."""

from __future__ import annotations

from typing import Any

import numpy as np

from refimpl.arithmetic.bounded import CARRIER, CARRIER_U, Bounded

PI = "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899863"


def integer(k: Any, like: Any) -> Any:
    """The integers ``k`` in the arithmetic of ``like``, exactly.

    A quotient of plain integers, such as k/T, would be rounded to float64 before a high-precision number sees it.
    """
    return Bounded(k, 0, like.profile, scalar=like.scalar) if isinstance(like, Bounded) else like**0 * k


def cube_root(x: Any) -> Any:
    """∛x for x ≥ 0: the power whose exponent is ⅓ as far as the arithmetic of ``x`` knows it."""
    return x ** (integer(1, x) / 3)


def cos_pi(x: Any) -> Any:
    """cos(πx), with π to the digits that the arithmetic of ``x`` has; objects need a method ``cos``.

    Bounded, π is known as far as an implementation knows it: rounded to its scalar precision.
    """
    if isinstance(x, Bounded):
        pi = CARRIER(PI)
        error = np.abs(pi - x.profile.scalar.round(np.asarray(pi))) + CARRIER_U * pi
        return np.cos(Bounded(pi, error, x.profile, scalar=x.scalar) * x)
    one: Any = np.asarray(x).ravel()[0]
    number: Any = type(one) if isinstance(one, np.inexact) or np.asarray(x).dtype == object else float
    return np.cos(number(PI) * x)


def choose(condition: Any, x: Any, y: Any) -> Any:
    """``x`` where the condition holds, else ``y``; a number stays a number, and tuples are chosen from in pairs."""
    if isinstance(x, tuple):
        return tuple(choose(condition, one, other) for one, other in zip(x, y, strict=True))
    return np.where(condition, x, y)[()]
