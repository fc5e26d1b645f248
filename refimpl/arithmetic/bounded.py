"""Running-error arithmetic: a value with a bound on the rounding error that a correct implementation can make.

The same formula that gives the reference trajectory runs on :class:`Bounded` arrays; what comes out is the
tolerance. ``x̂`` being what the implementation has, ``|x̂ − x| ≤ eₓ`` is kept through every operation
(Wilkinson 1963; Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., §3.3)::

    x ± y : e = eₓ + e_y                              then rounding: e ← e + u(|x ± y| + e)
    x · y : e = |x|e_y + |y|eₓ + eₓe_y                then rounding, + τ; none of it where x or y is exactly 0
    x / y : e = (eₓ + |x/y|e_y) / (|y| − e_y)         then rounding, + τ; unbounded where |y| ≤ e_y
    √x    : e = √x − √(x − eₓ)                        then rounding, + τ; the wider side of the two (x̂ ≥ 0)
    xᵏ    : e = k·eₓ(|x| + eₓ)ᵏ⁻¹                     then k roundings
    xʸ    : the farthest corner of the box of x and y    then 2 roundings (x > 0, or exactly 0; a pow good to an ulp)
    cos x : e = eₓ·min(1, |sin x| + eₓ/2)              then 2 roundings (a cos good to an ulp)
    exp x : e = eˣ·(exp(eₓ) − 1)                      then 4 roundings (an exp good to two ulps)
    log x : e = −log(1 − eₓ/x)                        then 4 roundings (the same); unbounded where x ≤ eₓ
    tanh x : e = eₓ·tanh′(max(|x| − eₓ, 0))             then 4 roundings (the same); erf alike
    σ(x)  : e = min(σ, 1 − σ)·(exp(eₓ) − 1)           then 6 roundings (an exp, a sum and a quotient)
    A @ B : e = |A|E_B + E_A|B| + E_A E_B + γₙ(|A| + E_A)(|B| + E_B),   γₙ = n·u_acc/(1 − n·u_acc)
    Σ     : e = Σeᵢ + γₙ₋₁ Σ(|xᵢ| + eᵢ)               any order of summation, any use of FMA
    max, min, |·|, − : errors pass through

``u`` is the unit roundoff of the arithmetic that the implementation computes in (its *profile*), ``τ`` half its
smallest subnormal. Hyper-parameters are *scalars*: exact doubles, whose expressions among themselves (``1 − β``,
``η/c₁``) are rounded at the profile's scalar precision, and which are rounded once to the compute precision when they
meet a tensor.

The carrier is ``longdouble``, or ``float64`` where a profile says so: 20 times faster, with matrix products in BLAS.
Its own unit roundoff is added to each ``u``, which doubles the bounds of a float64 implementation where the carrier is
no wider; and every bound is widened by what computing it may have rounded away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from refimpl.arithmetic.formats import FORMATS, Format
from refimpl.types import Array

CARRIER = np.longdouble
CARRIER_U = np.finfo(CARRIER).eps / 2
ROUNDINGS = 16
"""No operation below rounds a bound more often than this while it computes it, sums and matrix products apart."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What is known of the arithmetic of an implementation; where something is unknown, take the worse.

    ``compute``: the format every elementwise operation is rounded to. ``accumulate``: the format of the additions in
    matrix products and sums; ``sums``: that of plain sums, where it is another. ``scalar``: the format of expressions
    of hyper-parameters; ``power``: that of their powers, such as βᵗ, where it is another. ``operands``: the format that
    operands of matrix products are rounded to first (TF32), if any. ``form``: multiplies u and τ, 1 for an
    implementation of the same form as the formula, 2 for an unknown algebraically equal one. ``flush``: subnormal
    numbers are read and written as zero. ``products``: a sum of squares rounds each square before it is added, as
    ``(r * r).sum()`` does where it is no kernel of its own. ``carrier``: what values and errors are computed in,
    ``longdouble`` or ``float64``. ``depths``: pairs (n, h) where matrix products of n terms were seen to take every
    term through at most h additions.
    """

    compute: Format
    accumulate: Format
    scalar: Format = FORMATS["float64"]
    sums: Format | None = None
    power: Format | None = None
    operands: Format | None = None
    form: float = 1.0
    flush: bool = False
    products: bool = False
    carrier: Any = CARRIER
    depths: tuple[tuple[int, int], ...] = ()

    def roundings(self, n: int) -> int:
        """The most roundings of a term in a matrix product of n: that of the product, and those of its additions."""
        return 1 + dict(self.depths).get(n, n - 1)

    @cached_property
    def carrier_u(self) -> Any:
        """Unit roundoff of the carrier."""
        return np.finfo(self.carrier).eps / 2

    def u(self, format: Format) -> Any:
        """Unit roundoff of one operation, the carrier's own included."""
        return self.limits(format)[0]

    def tau(self, format: Format) -> Any:
        """Largest absolute error of an underflow."""
        return self.limits(format)[1]

    def limits(self, format: Format) -> tuple[Any, Any, Any]:
        """u and τ of one operation, and the largest number, in the carrier."""
        if format not in self._limits:
            u = self.carrier(self.form * format.u) + self.carrier_u
            smallest = self.carrier(self.form * (format.smallest_normal if self.flush else format.tiny))
            tau = smallest if smallest > 0 else np.finfo(self.carrier).smallest_subnormal
            self._limits[format] = u, tau, self.carrier(format.largest)
        return self._limits[format]

    @cached_property
    def _limits(self) -> dict[Format, tuple[Any, Any, Any]]:
        """Those that were asked for: they are needed in every operation."""
        return {}

    def widened(self, error: Any, roundings: int = ROUNDINGS) -> Any:
        """A bound that was itself computed with so many roundings, none of which may make it too small."""
        return error * (1 + roundings * self.carrier_u)


class Undecided(ArithmeticError):
    """A comparison whose outcome rounding errors could change was used as a plain truth value."""


@dataclass(frozen=True)
class Decision:
    """An elementwise comparison: ``likely`` from the values, ``undecided`` where the errors could turn it."""

    likely: Array
    undecided: Array

    def __bool__(self) -> bool:
        if np.any(self.undecided):
            raise Undecided("rounding errors could turn this comparison; use where(), which takes both branches")
        return bool(self.likely)


class Bounded(NDArrayOperatorsMixin):
    """``value`` and ``error`` (of the carrier, same shape), under ``profile``; ``scalar`` for hyper-parameters."""

    __slots__ = ("_entered", "error", "profile", "scalar", "value")

    def __init__(self, value: Any, error: Any, profile: Profile, *, scalar: bool = False) -> None:
        self.value: Array = np.asarray(value, profile.carrier)
        bound = np.asarray(error, profile.carrier)
        self.error: Array = bound if bound.shape == self.value.shape else np.broadcast_to(bound, self.value.shape)
        self.profile, self.scalar = profile, scalar
        self._entered: Bounded | None = None

    # -- making ---------------------------------------------------------------------------------------------------

    @classmethod
    def tensor(cls, value: Any, profile: Profile) -> Bounded:
        """A stored tensor: known exactly."""
        return cls(value, 0, profile)

    @classmethod
    def hyper(cls, value: Any, profile: Profile) -> Bounded:
        """A hyper-parameter: the double that was given, rounded where the profile keeps scalars in less."""
        exact = np.asarray(value, profile.carrier)
        return cls(exact, np.abs(exact - profile.scalar.round(exact)), profile, scalar=True)

    def _rounded(self, value: Array, error: Array, *, format: Format, underflow: bool, times: Any = 1) -> Bounded:
        """The result of an operation, rounded to ``format`` ``times`` times; unbounded where it may overflow."""
        u, tau, largest = self.profile.limits(format)
        magnitude = np.abs(value) + error
        error = error + times * u * magnitude
        if underflow:
            error = error + times * tau
        within, error = magnitude <= largest, self.profile.widened(error)
        if not within.all():  # nor where the error is no number, for the magnitude is none either
            error = np.where(within, error, np.inf)
        return Bounded(value, error, self.profile, scalar=self.scalar)

    @property
    def format(self) -> Format:
        """The format to which the result of an elementwise operation is rounded."""
        return self.profile.scalar if self.scalar else self.profile.compute

    def entering(self) -> Bounded:
        """This scalar as it is when it meets a tensor: rounded once to the compute precision, if that is lower."""
        if not self.scalar:
            return self
        if self._entered is None:
            self._entered = self._as_tensor()
        return self._entered

    def _as_tensor(self) -> Bounded:
        compute = self.profile.compute
        if compute.digits >= self.profile.scalar.digits:
            return Bounded(self.value, self.error, self.profile)
        known = np.abs(self.value - compute.round(self.value))  # an exact scalar's rounding is known exactly,
        near_subnormal = (
            np.abs(self.value) < 4 * compute.smallest_normal
        )  # except where λ/2, later doubled, is subnormal
        known = known + np.where(near_subnormal & (known > 0), 2 * compute.tiny, 0)
        unknown = self.error + self.profile.u(compute) * (np.abs(self.value) + self.error) + compute.tiny
        return Bounded(self.value, np.where(self.error == 0, known, unknown), self.profile)

    def under(self, profile: Profile) -> Bounded:
        """This tensor in another arithmetic: rounded once where that keeps fewer digits, or a narrower range."""
        here, there = self.profile.compute, profile.compute
        same = Bounded(self.value, self.error, profile)
        if there.digits >= here.digits and there.emin <= here.emin:
            return same
        return same._rounded(self.value, self.error, format=there, underflow=True)

    def within(self, low: float, high: float) -> Bounded:
        """This number, which lies between two others however it was rounded: no farther off than the farther one."""
        with np.errstate(invalid="ignore"):  # nan stays unbounded
            farthest = np.maximum(np.abs(self.value - low), np.abs(high - self.value))
        bound = np.where(np.isnan(farthest), np.inf, np.minimum(self.error, self.profile.widened(farthest)))
        return Bounded(self.value, bound, self.profile, scalar=self.scalar)

    def read(self) -> Bounded:
        """This operand as an operation reads it: 0 where a device that flushes may hold a subnormal number."""
        if not self.profile.flush:
            return self
        may_flush = np.abs(self.value) - self.error < self.format.smallest_normal
        error = np.where(may_flush, np.maximum(self.error, np.abs(self.value)), self.error)
        return Bounded(self.value, error, self.profile, scalar=self.scalar)

    # -- NumPy's protocols ----------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from refimpl.arithmetic.operations import OPERATIONS  # which are made of this class

        operation = OPERATIONS.get(ufunc)
        if operation is None or method != "__call__" or kwargs:
            return NotImplemented
        operands = [x if isinstance(x, Bounded) else self._constant(x) for x in inputs]
        if ufunc is np.power:
            operands = [operands[0].read(), inputs[1]]  # an integer exponent is no rounded number
        elif len({x.scalar for x in operands}) == 2:  # a scalar meets a tensor
            operands = [x.entering().read() for x in operands]
        else:
            operands = [x.read() for x in operands]
        with np.errstate(all="ignore"):  # ∞ − ∞ and 0·∞ become unbounded in _rounded
            return operation(*operands)

    def __array_function__(self, function: Any, types: Any, args: Sequence[Any], kwargs: Any) -> Any:
        from refimpl.arithmetic.operations import concatenate, where

        if function is np.where and len(args) == 3 and not kwargs:
            return where(*args)
        if function is np.concatenate and all(isinstance(x, Bounded) for x in args[0]):
            return concatenate(*args, **kwargs)
        return NotImplemented

    def _constant(self, x: Any) -> Bounded:
        """An integer, an array of them (a count for each run) or a double is an exact scalar, other arrays tensors."""
        is_tensor = isinstance(x, np.ndarray) and x.ndim > 0 and x.dtype.kind not in "iub"
        return Bounded(x, 0, self.profile, scalar=not is_tensor)

    # -- shape ----------------------------------------------------------------------------------------------------

    def _moved(self, move: Callable[[Array], Array]) -> Bounded:
        return Bounded(move(self.value), move(self.error), self.profile, scalar=self.scalar)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def T(self) -> Bounded:  # NumPy's name
        return self._moved(lambda x: x.T)

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: Any) -> Bounded:
        return self._moved(lambda x: x[index])

    def reshape(self, *shape: int) -> Bounded:
        return self._moved(lambda x: x.reshape(*shape))

    def swapaxes(self, first: int, second: int) -> Bounded:
        return self._moved(lambda x: x.swapaxes(first, second))

    # -- reductions -----------------------------------------------------------------------------------------------

    def sum(self, axis: int) -> Bounded:
        """Σ along one axis, in any order."""
        n = self.shape[axis]
        magnitude = (np.abs(self.value) + self.error).sum(axis=axis)
        with np.errstate(invalid="ignore"):  # 0·∞ becomes unbounded below
            error = self.error.sum(axis=axis) + gamma(n - 1, self.profile, self.profile.sums) * magnitude
            error = self.profile.widened(error, n + ROUNDINGS)
        format = self.profile.sums or self.profile.accumulate
        if self.profile.flush:
            error = error + n * self.profile.tau(format)
        return self._accumulated(self.value.sum(axis=axis), error, magnitude, format)

    def max(self, axis: int) -> Bounded:
        """The largest along one axis, which moves by no more than the one that moves most."""
        return Bounded(self.value.max(axis=axis), self.error.max(axis=axis), self.profile, scalar=self.scalar)

    def _accumulated(self, value: Array, error: Array, magnitude: Array, format: Format) -> Bounded:
        """A sum that was accumulated in a ``format``, rounded to the compute precision where that is another.

        Its partial sums reach ``magnitude`` = Σ|terms|, whatever they cancel to: unbounded where that may overflow.
        """
        error = np.where(magnitude + error <= self.profile.carrier(format.largest), error, np.inf)
        if format == self.format:
            return Bounded(value, error, self.profile, scalar=self.scalar)
        return self._rounded(value, error, format=self.format, underflow=True)

    def __repr__(self) -> str:
        return f"Bounded({self.value!r} ± {self.error!r})"


def gamma(n: int, profile: Profile, format: Format | None = None) -> Any:
    """γₙ = nu/(1 − nu): the relative error of n roundings to a format, by default that of accumulation; unbounded where
    nu ≥ 1."""
    nu = n * profile.u(format or profile.accumulate)
    return nu / (1 - nu) if nu < 1 else profile.carrier(np.inf)
