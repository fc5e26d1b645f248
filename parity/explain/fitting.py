"""The numbers of a reference optimizer, fitted to what ran.

With θ the hyper-parameters, r(θ) = (ŵ − w)/a the misses of :func:`~parity.explain.replay.misses` over their allowance::

    minimise ‖r(θ)‖²           by scipy.optimize.least_squares; ∂r/∂θ by differences, all columns in one batched replay
    |θ_i − θ*_i| ≤ Σ_j |J⁺|_ij      because r(θ*) is rounding, |r_j(θ*)| ≤ 1 (to first order in θ − θ*)

Numbers are moved where their steps are even: η, ε as η₀·eˣ; β as 1 − (1 − β₀)eˣ; those that are 0 by default as they
are, through 0 and below, so that 0 is no edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from parity.explain.motion import Motion
from parity.explain.replay import Slot, allowances, misses, moves_of, share_of, with_numbers
from parity.judge.undecidable import VANISHING
from refimpl.errors import RefimplError
from refimpl.types import Array, Number, Optimizer, number_fields

DIFFERENCE = 1e-6
"""The step of the differences: their error is far below what a fit needs to converge."""
RATES = 10.0 ** np.arange(-4, 4.5, 0.5)
"""Times the rate asked for: where a fit may start."""
RATE = 0.01
"""The rate where none was asked for and the reference has none."""
LIKELY, WITHIN = 6, 30.0
"""How many families go on from the screening, and how much worse than the best they may be."""
NEAR = 1e-4
"""The share of the moves that may be left where a fit is not yet converged."""
TRIED = 6
"""How many sets of numbers of one size are tried, and half of how many in all."""
UNREACHABLE = 1e30
"""The miss of a number out of place, where the replay has no finite one."""


def every_slot(optimizer: Optimizer) -> Iterator[Slot]:
    """All its numbers, but for those that it finds by itself."""
    for field in number_fields(type(optimizer)):
        value = getattr(optimizer, field)
        indices: Sequence[int | None] = range(len(value)) if isinstance(value, tuple) else [None]
        yield from (slot for slot in (Slot(field, i) for i in indices) if slot.of(optimizer) is not None)


def slots(optimizer: Optimizer) -> tuple[Slot, ...]:
    """The numbers that may differ from run to run: not those that the other options fix."""
    return tuple(slot for slot in every_slot(optimizer) if is_allowed(optimizer, slot, np.full(2, slot.of(optimizer))))


def is_allowed(optimizer: Optimizer, slot: Slot, value: Number) -> bool:
    try:
        with_numbers(optimizer, {slot: value})
    except RefimplError:
        return False
    return True


@dataclass(frozen=True)
class Axis:
    """A number v as a function of x, which is 0 at the start: ``log``: v = e + (v₀ − e)·eˣ, else v = v₀ + s·x."""

    start: float
    end: float
    scale: float
    log: bool

    @classmethod
    def of(cls, slot: Slot, optimizer: Optimizer) -> Axis:
        start, allowed = float(slot.of(optimizer)), number_fields(type(optimizer))[slot.field]
        if allowed.open_high:  # a β: by its distance from 1
            return cls(start, allowed.high, 1.0, True)
        may_vanish = start == 0 or slot.field in VANISHING or getattr(type(optimizer), slot.field, None) == 0
        if allowed.low == 0 and np.isinf(allowed.high) and not may_vanish:
            return cls(start, 0.0, 1.0, True)
        return cls(start, 0.0, 1.0 if may_vanish else abs(start), False)

    def value(self, x: Array) -> Array:
        x = np.asarray(x, np.longdouble)
        return self.end + (self.start - self.end) * np.exp(x) if self.log else self.start + self.scale * x

    def slope(self, x: float) -> float:
        """dv/dx."""
        return float((self.start - self.end) * np.exp(x)) if self.log else self.scale


@dataclass(frozen=True)
class Solution:
    """The fitted ``optimizer``; ``values`` and ``errors`` of its free numbers θ; ``residual``: r, flat.

    ``jacobian``: ∂r/∂θ. The errors are bars where misses were measured in their allowance.
    """

    optimizer: Optimizer
    values: Mapping[Slot, float]
    errors: Mapping[Slot, float]
    residual: Array
    jacobian: Array

    @property
    def rms(self) -> float:
        return root_mean_square(self.residual)


def solve(
    optimizer: Optimizer,
    free: Sequence[Slot],
    motions: Sequence[Motion],
    scale: Array,
    *,
    first: int | None = None,
    evaluations: int = 20,
    dtype: Any = np.longdouble,
) -> Solution:
    """The numbers in the ``free`` slots with the least misses ÷ ``scale`` over the ``first`` steps, or all of them."""
    axes = {slot: Axis.of(slot, optimizer) for slot in free}
    known: dict[bytes, tuple[Array, Array]] = {}

    def at(x: Array) -> tuple[Array, Array]:
        """r and ∂r/∂x, from one replay of 1 + p runs."""
        if x.tobytes() not in known:
            tried = x + DIFFERENCE * np.eye(len(x) + 1, len(x), -1)
            values = {slot: axis.value(tried[:, i]) for i, (slot, axis) in enumerate(axes.items())}
            with np.errstate(all="ignore"):
                miss = misses(optimizer, motions, values, first=first, dtype=dtype) / scale
                slopes = np.asarray(((miss[1:] - miss[0]) / DIFFERENCE).T, float)
            known[x.tobytes()] = finite(miss[0]), np.where(np.isfinite(slopes), slopes, 0)
        return known[x.tobytes()]

    x: Array = np.zeros(len(axes))
    if axes:
        limits: Any = {"ftol": 1e-10, "xtol": 1e-15, "gtol": None, "max_nfev": evaluations}
        with np.errstate(all="ignore"):  # its way through numbers out of place
            x = least_squares(partial(_part, at, 0), x, partial(_part, at, 1), **limits).x
    values = {slot: float(axis.value(each)) for (slot, axis), each in zip(axes.items(), x, strict=True)}
    r, jacobian = at(x)
    slopes = np.array([axis.slope(each) for axis, each in zip(axes.values(), x, strict=True)])
    errors = dict(zip(axes, error_bars(jacobian) * np.abs(slopes), strict=True))
    return Solution(_inside(optimizer, values), values, errors, r, jacobian / np.where(slopes == 0, 1e-100, slopes))


def _inside(optimizer: Optimizer, values: Mapping[Slot, float]) -> Optimizer:
    """With the numbers at their nearest allowed ones; as it was, where they exclude one another."""
    ranges = number_fields(type(optimizer))
    inside = {slot: min(max(value, ranges[slot.field].low), ranges[slot.field].high) for slot, value in values.items()}
    try:
        return with_numbers(optimizer, inside)
    except RefimplError:
        return optimizer


def _part(at: Callable[[Array], tuple[Array, Array]], index: int, x: Array) -> Array:
    return at(x)[index]


def error_bars(jacobian: Array) -> Array:
    """Σ_j |J⁺|_ij, enormous for what the record cannot tell."""
    norms = np.linalg.norm(jacobian, axis=0)
    norms = np.where(norms > 0, norms, 1e-100)
    u, s, vt = np.linalg.svd(jacobian / norms, full_matrices=False)
    inverse = (vt.T / np.maximum(s, 1e-14)) @ u.T
    bars: Array = np.abs(inverse).sum(axis=1) / norms
    return bars


def finite(miss: Array) -> Array:
    """As numbers that least squares can go on with."""
    miss = np.asarray(miss, float)
    return np.where(np.isfinite(miss), np.clip(miss, -UNREACHABLE, UNREACHABLE), UNREACHABLE)


def root_mean_square(x: Array) -> float:
    return float(np.sqrt(np.mean(x**2)))


def residual(optimizer: Optimizer, motions: Sequence[Motion]) -> float:
    """The root mean square of all misses, in units of that of the moves."""
    return root_mean_square(finite(misses(optimizer, motions)[0] / moves_of(motions)))


# -- where to start, and what to go on with ----------------------------------------------------------------------------


def nearest_start(optimizer: Optimizer, motions: Sequence[Motion], *, first: int) -> Optimizer:
    """The best of many rates, with the other numbers as they are."""
    rate = Slot("lr")
    if rate not in slots(optimizer):
        return optimizer
    rates = RATES * float(rate.of(optimizer) or RATE)
    miss = finite(misses(optimizer, motions, {rate: rates}, first=first) / moves_of(motions, first))
    return with_numbers(optimizer, {rate: float(rates[np.argmin(np.sum(miss**2, axis=1))])})


def nearest(solutions: Sequence[Solution], motions: Sequence[Motion]) -> list[int]:
    """The nearest first; as they are where rounding hides which is nearer."""
    noise = noise_of(motions)
    rms = [max(solution.rms, noise) for solution in solutions]
    return sorted(range(len(rms)), key=rms.__getitem__)


def noise_of(motions: Sequence[Motion]) -> float:
    """What rounding the weights leaves of the moves at least."""
    rounding = [m.format.half_ulp(np.nan_to_num(m.weights[1:])).astype(float).ravel() for m in motions]
    return root_mean_square(np.concatenate(rounding)) / root_mean_square(moves_of(motions))


# -- the fewest numbers and digits -------------------------------------------------------------------------------------


def fewest(
    asked: Optimizer, near: Optimizer, motions: Sequence[Motion], *, most: int
) -> tuple[Optimizer, Mapping[str, tuple[float, float]]]:
    """The numbers ``near`` the run fitted to all of it; all but a few, at ``most`` so many, are as ``asked``."""
    free = slots(asked)
    first = solve(near, free, motions, moves_of(motions), dtype=float)
    if first.rms > max(NEAR, WITHIN * noise_of(motions)):
        return first.optimizer, {}
    allowance = allowances(first.optimizer, motions)
    whole = solve(first.optimizer, free, motions, allowance, evaluations=8)
    for chosen in _subsets(whole, asked, most):
        part = solve(
            _inside(asked, {slot: whole.values[slot] for slot in chosen}), chosen, motions, allowance, evaluations=12
        )
        if np.max(np.abs(part.residual)) <= 2 and (found := rounded(part, motions)):
            bars = solve(found, chosen, motions, allowance, evaluations=1).errors
            differ = [slot for slot in chosen if slot.of(found) != slot.of(asked)]
            return found, {slot.name: (slot.of(found), float(bars[slot])) for slot in differ}
    every = rounded(whole, motions) if whole.rms <= 2 else None
    return every or whole.optimizer, {}


def _subsets(whole: Solution, asked: Optimizer, most: int) -> list[tuple[Slot, ...]]:
    """Which numbers may be all that differ from what was asked, small sets first, by what is left in the linear law.

    With the others as asked, that is min over the chosen of ‖r + J(θ − θ̂)‖; larger sets beyond WITHIN of the fit
    are none.
    """
    free = tuple(whole.values)
    gone = np.array([float(slot.of(asked)) - whole.values[slot] for slot in free])
    r: Array = np.linalg.qr(np.column_stack([whole.jacobian, whole.residual]), mode="reduced")[1]
    count, found = len(whole.residual), []
    for size in range(1, min(most, len(free)) + 1):
        left = []
        for chosen in combinations(range(len(free)), size):
            moved = r[:, -1] + r[:, :-1] @ np.where(np.isin(np.arange(len(free)), chosen), 0, gone)
            columns = r[:, list(chosen)]
            norms = np.maximum(np.linalg.norm(columns, axis=0), 1e-100)
            rest = moved - columns / norms @ np.linalg.lstsq(columns / norms, moved, rcond=None)[0]
            left.append((float(np.linalg.norm(rest)) / np.sqrt(count), chosen))
        near = sorted(each for each in left if size == 1 or each[0] <= WITHIN * max(1, whole.rms))
        found += [tuple(free[i] for i in chosen) for _, chosen in near[:TRIED]]
    return found[: 2 * TRIED]


def rounded(solution: Solution, motions: Sequence[Motion]) -> Optimizer | None:
    """With as few digits as the error bars allow, and fewer are tried before more; None where nothing fits."""
    for part in (1, 0.1, 0.01, 0):
        numbers = {slot: short(value, part * solution.errors[slot]) for slot, value in solution.values.items()}
        try:
            optimizer = with_numbers(solution.optimizer, numbers)
        except RefimplError:  # rounded out of its range
            continue
        if share_of(optimizer, motions) <= 1:
            return optimizer
    return None


def short(value: float, error: float) -> float:
    """The number of the fewest digits within the error; 0 has none."""
    candidates = [0.0, *(float(f"{value:.{digits}g}") for digits in range(1, 17))]
    return next((candidate for candidate in candidates if abs(candidate - value) <= error), value)
