"""The linear equations of a motion: ``Δw = Σ cᵢ·tᵢ``, one for each element and step, with what rounding may add.

====================  ==============================================================================================
``∇L``                gradient of the data loss at w_k
``w``                 w_k
``Δw₋₁``, ``Δw₋₂``    the two updates before
``∇L₋₁``, ``w₋₁``     gradient and weights one step before; w₋₁ = w − Δw₋₁ is no term of its own
``sign w``            0 at 0
``w/‖w‖``             over the parameter; 0 at 0
``1``                 a constant
====================  ==============================================================================================

and the pieces of a motion. Under a schedule ``s = η_k/η₀`` that moves, each is there twice: ``s·∇L``, … and as it is.
An optimizer that keeps ``b_k = μb_{k−1} + g_k`` and steps ``Δw_k = −η_k·b_k`` moves by::

    Δw_k = −η_k·g_k + μ·(η_k/η_{k−1})·Δw_{k−1}

so that a scheduled previous update is ``s/s₋₁·Δw₋₁``.

Allowance. With n terms chosen, what a correct implementation may be off the law is at most::

    a = ½ulp(w_{k+1}) + Σ |cᵢ|·(eᵢ + (2n + 2)·u·|tᵢ|)

``½ulp``: of the last addition, known from its result, and of the store. ``eᵢ``: error of the term, for a gradient its
bound. The optimizer adds its own buffer, of which a previous update is the rounded image: its error is ``½ulp(w_k) +
u·|Δw|``. Gathering n terms takes at most 2n + 2 roundings on every path of torch's: with momentum, dampening and decay,
λw, +, (1 − τ)·, +, η· of numbers and those of λ, 1 − τ, η themselves. An implementation of another form, such as
``w·(1 − ηλ)``, has form factor 2 in the profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from parity.explain.motion import Motion
from refimpl.arithmetic.bounded import Bounded
from refimpl.types import Array

BACK = 2
"""How many steps a term may look back."""
SCHEDULED = "s·"
UPDATE_SCHEDULED = "s/s₋₁·Δw₋₁"
SAME = {"w₋₁": {"w", "Δw₋₁"}}
"""A term that is made of others: with either of them it says nothing new."""


@dataclass(frozen=True)
class Equations:
    """N equations in m terms, the preferred first.

    ``value``, ``error`` ``(N, m)``; ``moved`` ``(N,)``: Δw; ``last`` ``(N,)``: ½ulp of the last addition; ``step``
    ``(N,)``; ``unit``: unit roundoff of the update. What is known exactly, ``value`` and ``moved``, is ``longdouble``.
    """

    names: tuple[str, ...]
    value: Array
    error: Array
    moved: Array
    last: Array
    step: Array
    unit: float

    def __len__(self) -> int:
        return len(self.moved)

    @cached_property
    def near(self) -> Array:
        """``value`` to the digits of a double."""
        near: Array = self.value.astype(float)
        return near

    def allowance(self, chosen: Sequence[int], size: Array) -> Array:
        """a, with ``size`` = |cᵢ| of the terms ``chosen``."""
        terms = list(chosen)
        roundings = (2 * len(terms) + 2) * self.unit
        allowed: Array = self.last + (self.error[:, terms] + roundings * np.abs(self.near[:, terms])) @ size
        return allowed

    def at(self, rows: Array) -> Equations:
        """Those of some rows."""
        parts = {name: getattr(self, name)[rows] for name in ("value", "error", "moved", "last", "step")}
        return replace(self, **parts)


@np.errstate(all="ignore")  # what overflows, or is divided by a rate of 0, is left out
def equations(motion: Motion) -> Equations:
    """Of all steps up to the first with a number that is not finite; what a first step cannot look back on is 0."""
    weights = np.asarray(motion.weights, np.longdouble).reshape(len(motion.weights), -1)
    finite = np.asarray(np.isfinite(weights).all(axis=1))
    steps = len(finite) - 1 if finite.all() else max(int(np.argmin(finite)) - 1, 0)
    w, after, unit = weights[:steps], weights[1 : steps + 1], motion.profile.u(motion.profile.compute)
    moved, last = after - w, _last_rounding(motion, after)
    rounded = last + (unit + motion.format.u) * np.abs(moved)
    found = {"∇L": _parts(motion.gradient, w), "w": (w, 0 * w), "Δw₋₁": _before(moved, rounded)}
    found |= {"∇L₋₁": _before(*found["∇L"]), "sign w": (np.sign(w), 0 * w)}
    if w.shape[1:] != (1,):  # of a single number it is the sign
        found["w/‖w‖"] = _direction(motion, w)
    found |= {"1": (np.ones_like(w), 0 * w), "w₋₁": _before(w, 0 * w), "Δw₋₂": _before(*_before(moved, rounded))}
    found |= {name: _parts(piece, w) for name, piece in motion.pieces.items()}
    if steps and np.any(motion.factor[:steps] != motion.factor[0]):
        factor = np.asarray(motion.factor[:steps], np.longdouble)[:, None]
        found = _scheduled(found, factor, float(unit)) | found
        ratios = factor[1:] / factor[:-1]
        if np.all(np.abs(ratios - ratios[0]) <= 1e-12 * ratios[0]):  # then it is the scheduled one times a constant
            del found["Δw₋₁"]
    value, error = (np.stack([pair[part].ravel() for pair in found.values()], axis=1) for part in (0, 1))
    error = error.astype(float)
    step = np.repeat(np.arange(steps), w.shape[1])
    every = Equations(
        tuple(found), value, error, moved.ravel(), _floor(last, weights[: steps + 1], unit), step, float(unit)
    )
    return every.at(np.isfinite(value + error).all(axis=1) & np.isfinite(every.last))


def together(some: Sequence[Equations]) -> Equations:
    """Several parameters as if they were one, in the terms that all have."""
    names = [name for name in some[0].names if all(name in one.names for one in some)]
    columns = [[one.names.index(name) for name in names] for one in some]
    value, error = (
        np.concatenate([getattr(one, part)[:, of] for one, of in zip(some, columns, strict=True)])
        for part in ("value", "error")
    )
    moved, last, step = (np.concatenate([getattr(one, part) for one in some]) for part in ("moved", "last", "step"))
    return Equations(tuple(names), value, error, moved, last, step, max(one.unit for one in some))


def _last_rounding(motion: Motion, after: Array) -> Array:
    """Of w + Δw as computed, and of storing it in less; known from the result."""
    compute, form = motion.profile.compute, motion.profile.form
    error = form * compute.half_ulp(after) + motion.profile.tau(compute)
    if motion.format.digits < compute.digits:
        error = 2 * error + motion.format.half_ulp(after)  # twice: it was made of the number before the store
    return np.where(np.abs(after) + error <= motion.format.largest, error, np.inf)


def _floor(last: Array, weights: Array, unit: float) -> Array:
    """No element may outweigh all others because it is next to 0: at least u/10⁶ of the largest weight."""
    floored: Array = np.maximum(last, 1e-6 * unit * np.abs(weights).max(initial=0))
    raised: Array = np.maximum(floored, 1e-300).astype(float).ravel()
    return raised


def _parts(bounded: Bounded, w: Array) -> tuple[Array, Array]:
    """Of the steps that w has."""
    return bounded.value[: len(w)].reshape(w.shape), bounded.error[: len(w)].reshape(w.shape)


def _before(value: Array, error: Array) -> tuple[Array, Array]:
    """One step before, 0 at the first."""
    late = [np.concatenate([np.zeros_like(part[:1]), part[:-1]]) for part in (value, error)]
    return late[0], late[1]


def _direction(motion: Motion, w: Array) -> tuple[Array, Array]:
    """w/‖w‖."""
    weights = Bounded.tensor(w, motion.profile)
    along = weights / np.sqrt((weights * weights).sum(axis=1))[:, None]
    zero = (w == 0).all(axis=1)[:, None]
    return np.where(zero, 0, along.value), np.where(zero, 0, along.error)


def _scheduled(terms: dict[str, tuple[Array, Array]], factor: Array, unit: float) -> dict[str, tuple[Array, Array]]:
    """Every term times s, its rate known to the roundings of as many products as steps."""
    before, _ = _before(factor, factor)
    before[0] = 1  # the first step has no update before it
    rounding = unit + len(factor) * 2.0**-53
    found = {}
    for name, (value, error) in terms.items():
        ratio = factor / before if name == "Δw₋₁" else factor
        scaled = ratio * value
        key = UPDATE_SCHEDULED if name == "Δw₋₁" else SCHEDULED + name
        found[key] = scaled, np.abs(ratio) * error + rounding * np.abs(scaled)
    return found
