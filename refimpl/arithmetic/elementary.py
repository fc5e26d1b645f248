"""What formulas in whole numbers need to run in every arithmetic: exact integers, π, roots, erf, σ, choices."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

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


def pi(like: Any) -> Any:
    """π to the digits that the arithmetic of ``like`` has.

    Bounded, it is a scalar, known as far as an implementation knows it: rounded to its scalar precision.
    """
    if isinstance(like, Bounded):
        known = CARRIER(PI)
        error = np.abs(known - like.profile.scalar.round(np.asarray(known))) + CARRIER_U * known
        return Bounded(known, error, like.profile, scalar=True)
    one: Any = np.asarray(like).ravel()[0]
    if isinstance(one, np.complexfloating):
        return np.longdouble(PI)
    number: Any = type(one) if isinstance(one, np.inexact) or np.asarray(like).dtype == object else float
    return number(PI)


def cos_pi(x: Any) -> Any:
    """cos(πx); objects need a method ``cos``."""
    return np.cos(pi(x) * x)


def erf(x: Any) -> Any:
    """(2/√π)∫₀ˣ exp(−t²) dt; objects need a method ``erf``."""
    if not isinstance(x, Bounded) and np.asarray(x).dtype == object:
        return np.frompyfunc(lambda number: number.erf(), 1, 1)(x)
    return special.erf(x)


def sigmoid(x: Any) -> Any:
    """σ(x) = 1/(1 + exp(−x))."""
    if isinstance(x, Bounded) or np.asarray(x).dtype.kind == "f":
        return special.expit(x)
    return 1 / (1 + np.exp(-x))


def choose(condition: Any, x: Any, y: Any) -> Any:
    """``x`` where the condition holds, else ``y``; a number stays a number, and tuples are chosen from in pairs."""
    if isinstance(x, tuple):
        return tuple(choose(condition, one, other) for one, other in zip(x, y, strict=True))
    return np.where(condition, x, y)[()]
