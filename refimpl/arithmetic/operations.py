"""The operations of running-error arithmetic: the value of each, and the bound that :mod:`bounded` derives for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from scipy import special

from refimpl.arithmetic.bounded import ROUNDINGS, Bounded, Decision, gamma
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array

FUNCTION = 4
"""Roundings that an exponential or a logarithm counts for, two ulps: glibc and SLEEF (``u10``) promise one, CUDA two;
torch 2.13 on a CPU with AVX-512 was measured at 1.4 roundings, inside of log-softmax and its gradient, too."""

ERF = 16
"""Roundings of 1 that an error function in float32 counts for, however small it is: kernels that are made of it take
polynomials, torch's vectors that of Abramowitz & Stegun 7.1.26 (good to 1.5e-7), oneDNN its own. Over four million
numbers torch 2.13 on a CPU with AVX-512 was measured, inside of GELU and its gradient, at 10 and 12 of them."""


def add(x: Bounded, y: Bounded) -> Bounded:
    return x._rounded(x.value + y.value, x.error + y.error, format=x.format, underflow=x.profile.flush)


def subtract(x: Bounded, y: Bounded) -> Bounded:
    return add(x, negative(y))


def negative(x: Bounded) -> Bounded:
    return Bounded(-x.value, x.error, x.profile, scalar=x.scalar)


def multiply(x: Bounded, y: Bounded) -> Bounded:
    error = np.abs(x.value) * y.error + np.abs(y.value) * x.error + x.error * y.error
    product = x._rounded(x.value * y.value, error, format=x.format, underflow=True)
    zero = ((x.value == 0) & (x.error == 0)) | ((y.value == 0) & (y.error == 0))  # neither rounds nor underflows
    if zero.any():
        product.error = np.where(zero & np.isfinite(product.error), 0, product.error)
    return product


def divide(x: Bounded, y: Bounded) -> Bounded:
    value = x.value / y.value
    room = np.abs(y.value) - y.error
    error = np.where(room > 0, (x.error + np.abs(value) * y.error) / room, np.inf)
    return x._rounded(value, error, format=x.format, underflow=True)


def sqrt(x: Bounded) -> Bounded:
    root = np.sqrt(x.value)
    reach = root + np.sqrt(np.maximum(x.value - x.error, 0))
    # √x − √(x − e) = e/(√x + √(x − e)), without cancellation; where x − e < 0 no more than √(x + e)
    error = np.where(x.error < x.value, x.error / np.where(reach > 0, reach, 1), np.sqrt(np.abs(x.value) + x.error))
    return x._rounded(root, error, format=x.format, underflow=True)


def power(x: Bounded, k: Any) -> Bounded:
    """xᵏ for integers k ≥ 0 (one, or an array of them): k − 1 multiplications, or a ``pow`` good to an ulp."""
    if isinstance(k, Bounded | float):
        return real_power(x, k if isinstance(k, Bounded) else x._constant(k))
    k = np.asarray(k)
    if k.dtype.kind not in "iu" or np.any(k < 0):
        raise TypeError(f"Bounded ** {k!r}: only integer exponents ≥ 0, and real ones that are floats or Bounded")
    own = x.profile.power if x.scalar else None  # the format of powers of scalars, where it is another
    base = x.error if own is None else x.error + np.abs(x.value - own.round(x.value))
    error = k * base * (np.abs(x.value) + base) ** np.maximum(k - 1, 0)  # ≥ (|x| + e)ᵏ − |x|ᵏ, no cancellation
    return x._rounded(
        x.value**k,
        error,
        format=own or x.format,
        underflow=bool(np.any(k > 1)),
        times=np.where(k > 1, k, 0),
    )


def real_power(x: Bounded, y: Bounded) -> Bounded:
    """xʸ for x > 0: monotone in x and in y, so that the error is largest in a corner of their box.

    Of x = 0, known exactly, a power y > 0 is 0 as well.
    """
    value = x.value**y.value
    zero = (x.value == 0) & (x.error == 0) & (y.value > y.error)
    low, high = x.value - x.error, x.value + x.error
    corners = [base**exponent for base in (low, high) for exponent in (y.value - y.error, y.value + y.error)]
    error = reduce(np.maximum, [np.abs(corner - value) for corner in corners])
    return x._rounded(value, np.where((low > 0) | zero, error, np.inf), format=x.format, underflow=True, times=2)


def cos(x: Bounded) -> Bounded:
    """|cos(x + d) − cos x| = 2|sin(x + d/2) sin(d/2)| ≤ |d|·|sin(x + d/2)| ≤ |d|·min(1, |sin x| + |d|/2)."""
    slope = np.minimum(np.abs(np.sin(x.value)) + x.error / 2, 1)
    return x._rounded(np.cos(x.value), x.error * slope, format=x.format, underflow=True, times=2)


def exp(x: Bounded) -> Bounded:
    """|exp(x + d) − exp x| ≤ eˣ·(exp|d| − 1)."""
    value = np.exp(x.value)
    return x._rounded(value, value * np.expm1(x.error), format=x.format, underflow=True, times=FUNCTION)


def log(x: Bounded) -> Bounded:
    """|log(x + d) − log x| ≤ −log(1 − |d|/x) for |d| < x."""
    error = np.where(x.error < x.value, -np.log1p(-x.error / x.value), np.inf)
    return x._rounded(np.log(x.value), error, format=x.format, underflow=True, times=FUNCTION)


def log1p(x: Bounded) -> Bounded:
    """|log(1 + x + d) − log(1 + x)| ≤ −log(1 − |d|/(1 + x)) for |d| < 1 + x."""
    room = 1 + x.value
    error = np.where(x.error < room, -np.log1p(-x.error / room), np.inf)
    return x._rounded(np.log1p(x.value), error, format=x.format, underflow=True, times=FUNCTION)


def tanh(x: Bounded) -> Bounded:
    """|tanh(x + d) − tanh x| ≤ |d|/cosh²z, z being the number nearest to 0 between x − |d| and x + |d|."""
    nearest = np.maximum(np.abs(x.value) - x.error, 0)
    error = x.error / np.cosh(nearest) ** 2
    return x._rounded(np.tanh(x.value), error, format=x.format, underflow=True, times=FUNCTION)


def erf(x: Bounded) -> Bounded:
    """|erf(x + d) − erf x| ≤ |d|·(2/√π)·exp(−z²), z being the number nearest to 0 between x − |d| and x + |d|.

    SciPy has the function in float64 only: with v = 2⁻⁵³ its x is off by v|x|, which moves erf x by no more than
    v|erf x| (it is concave above 0), and its result by 3.7e-16 |erf x|, four v at most (Cephes' ``ndtr.c``).
    """
    value = special.erf(x.value.astype(np.float64)).astype(x.value.dtype)
    nearest = np.maximum(np.abs(x.value) - x.error, 0)
    own = 5 * EPSILON / 2 * np.abs(value) + TINY
    coarse = ERF * x.profile.u(x.format) if x.format.digits <= FORMATS["float32"].digits else 0
    error = x.error * TWO_OVER_ROOT_PI * np.exp(-(nearest**2)) + own + coarse
    return x._rounded(value, error, format=x.format, underflow=True, times=FUNCTION)


def sigmoid(x: Bounded) -> Bounded:
    """σ(x) = 1/(1 + exp(−x)): |σ(x + d) − σ(x)| ≤ min(σ, 1 − σ)·(exp|d| − 1), as σ(x + d) ≤ exp|d|·σ(x).

    An exponential, a sum and a quotient round. Where exp(−x) ≤ 1/σ may overflow, 1/∞ = 0 is as far off as σ is large.
    """
    u, _, largest = x.profile.limits(x.format)
    value, rest = special.expit(x.value), special.expit(-x.value)
    error = np.minimum(value, rest) * np.expm1(x.error)
    may_overflow = value * largest <= (1 + 2 * FUNCTION * u) * np.exp(x.error)
    error = np.where(may_overflow, np.maximum(error, value), error)
    return x._rounded(value, error, format=x.format, underflow=True, times=FUNCTION + 2)


def square(x: Bounded) -> Bounded:
    return multiply(x, x)


def absolute(x: Bounded) -> Bounded:
    return Bounded(np.abs(x.value), x.error, x.profile, scalar=x.scalar)


def maximum(x: Bounded, y: Bounded) -> Bounded:
    return Bounded(np.maximum(x.value, y.value), np.maximum(x.error, y.error), x.profile, scalar=x.scalar)


def minimum(x: Bounded, y: Bounded) -> Bounded:
    return Bounded(np.minimum(x.value, y.value), np.maximum(x.error, y.error), x.profile, scalar=x.scalar)


def sign(x: Bounded) -> Bounded:
    """±1, or 0; where the error could turn it, the reach to the farthest of −1, 0 and 1."""
    value = np.sign(x.value)
    undecided = ~(np.abs(x.value) > x.error) & (x.error > 0)
    error = np.where(np.isnan(value), np.inf, np.where(undecided, 1 + np.abs(value), 0))
    return Bounded(value, error, x.profile, scalar=x.scalar)


EPSILON = np.finfo(np.float64).eps
"""2v: the distance from 1 to the next number of float64."""
TINY = np.finfo(np.float64).smallest_subnormal
"""t: the smallest number of float64 above 0."""
TWO_OVER_ROOT_PI = np.nextafter(2 / np.sqrt(np.pi), 2)
"""2/√π, or more."""
LARGE = 2**20
"""Elements of a factor from which on a matrix product is made in parts: its bound needs several arrays of that size."""


def matmul(a: Bounded, b: Bounded) -> Bounded:
    """A matrix product. γ is of the roundings that a term goes through: n in any order, fewer where the profile has the
    depth of the sum."""
    return _product(a, b, a.profile.roundings(a.shape[-1]))


def _product(a: Bounded, b: Bounded, roundings: int) -> Bounded:
    """The product in the carrier, the products of its bound in float64, where BLAS makes them.

    With v = 2⁻⁵³ and t = 2⁻¹⁰⁷⁴, a factor x ≥ 0 becomes in float64 an x' with ``x ≤ (1 + 2v)x' + t``. In whatever order
    BLAS adds, ``Σ xᵢyᵢ`` over n terms is therefore at most ``1 + 2(n + 16)v`` times the sum that it makes, and
    ``4nt(1 + max x' + max y')`` for what underflowed: factors, and products.
    """
    if b.ndim > 1 and b.size > LARGE and b.shape[-1] > 1:  # a column of the product needs a column of B only
        at_a_time = max(1, LARGE * b.shape[-1] // b.size)
        starts = range(0, b.shape[-1], at_a_time)
        return concatenate([_product(a, b[..., start : start + at_a_time], roundings) for start in starts], axis=-1)
    a, b = as_operand(a), as_operand(b)
    profile, n = a.profile, a.shape[-1]
    magnitude_a, magnitude_b = (np.abs(np.asarray(x.value, np.float64)) for x in (a, b))
    reach_a, reach_b, spread = magnitude_a, magnitude_b, np.zeros(())
    if np.any(b.error):
        error_b = np.asarray(b.error, np.float64)
        reach_b = magnitude_b + error_b
        spread = magnitude_a @ error_b  # |A|E_B
    if np.any(a.error):
        error_a = np.asarray(a.error, np.float64)
        reach_a = magnitude_a + error_a
        spread = spread + error_a @ reach_b  # E_A(|B| + E_B)
    lost = 4 * n * TINY * (1 + _largest(reach_a, reach_b))
    spread = profile.carrier(1) * spread + lost
    reach = magnitude_a @ magnitude_b + spread
    error = (spread + gamma(roundings, profile) * reach) * (1 + (n + ROUNDINGS) * EPSILON)
    return a._accumulated(a.value @ b.value, error + n * profile.tau(profile.accumulate), reach, profile.accumulate)


def _largest(a: Array, b: Array) -> Array:
    """For each element of the product A B, the largest of A's row and the largest of B's column, added; or more."""
    largest = np.maximum(a.max(initial=0), b.max(initial=0))
    if largest < 2.0**500:  # times 2⁻¹⁰⁷⁴ it is nothing
        return np.asarray(2 * largest)
    row = a.max(axis=-1, initial=0)
    if b.ndim == 1:
        return np.asarray(row + b.max(initial=0))
    column = b.max(axis=-2, initial=0)
    return np.asarray(row[..., None] + (column[..., None, :] if a.ndim > 1 else column))


def vecdot(a: Bounded, b: Bounded) -> Bounded:
    """Σ aᵢbᵢ along the last axis."""
    if a.profile.products:
        a, b = multiply(a, b), Bounded(np.ones(b.shape), 0, b.profile)
    return _product(a[..., None, :], b[..., :, None], a.shape[-1])[..., 0, 0]


def as_operand(x: Bounded) -> Bounded:
    """An operand of a matrix product, rounded first where the profile says so."""
    format = x.profile.operands
    return x if format is None else x._rounded(x.value, x.error, format=format, underflow=True)


def _comparison(holds: Callable[[Array, Array], Array]) -> Callable[[Bounded, Bounded], Decision]:
    def compare(x: Bounded, y: Bounded) -> Decision:
        error = x.profile.widened(x.error + y.error)
        unordered = ~(np.abs(x.value - y.value) > error)  # nan, from 0/0 or ∞ − ∞, decides nothing
        return Decision(holds(x.value, y.value), unordered & (error > 0))

    return compare


def where(condition: Any, x: Any, y: Any) -> Bounded:
    """Elementwise choice; where the condition is undecided, the hull of both branches."""
    some = next(z for z in (x, y) if isinstance(z, Bounded))
    x, y = (z if isinstance(z, Bounded) else some._constant(z) for z in (x, y))
    if x.scalar != y.scalar:
        x, y = x.entering(), y.entering()
    decision = condition if isinstance(condition, Decision) else Decision(np.asarray(condition), np.array(False))
    value = np.where(decision.likely, x.value, y.value)
    with np.errstate(invalid="ignore"):  # ∞ − ∞ becomes unbounded
        hull = np.maximum(np.abs(x.value - value) + x.error, np.abs(y.value - value) + y.error)
    hull = np.where(np.isnan(hull), np.inf, some.profile.widened(hull))
    error = np.where(decision.undecided, hull, np.where(decision.likely, x.error, y.error))
    return Bounded(value, error, some.profile, scalar=x.scalar)


def concatenate(parts: Sequence[Bounded], axis: int = 0) -> Bounded:
    value, error = (np.concatenate(arrays, axis) for arrays in ([x.value for x in parts], [x.error for x in parts]))
    return Bounded(value, error, parts[0].profile, scalar=parts[0].scalar)


OPERATIONS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: add,
    np.subtract: subtract,
    np.negative: negative,
    np.multiply: multiply,
    np.divide: divide,
    np.sqrt: sqrt,
    np.power: power,
    np.cos: cos,
    np.exp: exp,
    np.log: log,
    np.log1p: log1p,
    np.tanh: tanh,
    special.erf: erf,
    special.expit: sigmoid,
    np.square: square,
    np.absolute: absolute,
    np.maximum: maximum,
    np.minimum: minimum,
    np.sign: sign,
    np.matmul: matmul,
    np.vecdot: vecdot,
    np.greater: _comparison(np.greater),
    np.greater_equal: _comparison(np.greater_equal),
    np.less: _comparison(np.less),
    np.less_equal: _comparison(np.less_equal),
    np.equal: _comparison(np.equal),
    np.not_equal: _comparison(np.not_equal),
}
