"""Which of the tensors that a class keeps are SOAP's: the matrix and the basis of each axis, and both averages.

Names differ from code to code, so that numbers tell. That decides what is judged as what, and no verdict::

    precond_i   (n, n), symmetric: the one most parallel, over all steps, to the reference's own
    basis_i     (n, n), QᵀQ nearer to I than :data:`NEAR`: of these the one that makes the first precond_i most diagonal
    exp_avg_sq  of the parameter's shape, nowhere negative: the one that goes on most nearly as v does, in any order
    exp_avg     of the same shape: the one that goes on most nearly as m does, as it is or rotated back

A tensor that has one of these names, or was given it by ``--state``, is taken for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from refimpl.arithmetic.bases import rotated
from refimpl.arithmetic.lift import map_numbers
from refimpl.optimizers.soap import SOAP
from refimpl.types import Array

NEAR = 0.5
SYMMETRIC = 1e-3
"""Of the largest element: up to which a matrix is taken for a symmetric one."""
EQUAL, ORDER, IMPOSSIBLE = 1e-5, 1e-9, 1e6
"""What costs so little is nothing; what breaks a tie; what is not taken."""


@dataclass(frozen=True)
class Tensor:
    """One tensor that a class keeps: its name, and its numbers after each step ``(K, …)``; NaN before it is there."""

    name: str
    after: Array


@dataclass(frozen=True, kw_only=True)
class Kept:
    """SOAP's state as a class keeps it; what it shows no tensor for is absent. ``turned``: m is in the rotated space.

    ``missing``: the parts without which nothing is judged, in the reference's names.
    """

    preconds: Mapping[int, Tensor] = field(default_factory=dict)
    bases: Mapping[int, Tensor] = field(default_factory=dict)
    first: Tensor | None = None
    second: Tensor | None = None
    turned: bool = False
    missing: tuple[str, ...] = ()


def kept_of(rule: SOAP, gradients: Array, tensors: Mapping[str, Array]) -> Kept:
    """The state of one parameter. ``gradients`` ``(K, …)``; ``tensors`` ``(K, …)`` by name."""
    plain: Any = map_numbers(rule, lambda number: float(getattr(number, "value", number)))
    with np.errstate(all="ignore"):
        return _Search(plain, gradients, tensors).kept()


class _Search:
    """Tensors are taken one after the other; each is one thing only."""

    def __init__(self, rule: SOAP, gradients: Array, tensors: Mapping[str, Array]) -> None:
        self.rule, self.gradients = rule, np.asarray(gradients, float)
        self.left = dict(tensors)

    def kept(self) -> Kept:
        axes = self.rule.axes(self.gradients.shape)
        means = {axis: self._means(axis) for axis in axes}
        preconds = self._assigned("precond", axes, lambda axis, after: _apart(after, means[axis]))
        known = {axis: tensor.after for axis, tensor in preconds.items()}
        bases = self._assigned("basis", [*known], lambda axis, after: _undecomposed(after, known[axis][0]))
        parts = (("precond", preconds), ("basis", bases))
        missing = [name for axis in axes for name, tensors in parts if axis not in tensors]
        if missing:
            return Kept(preconds=preconds, bases=bases, missing=tuple(missing))
        Q = {axis: tensor.after for axis, tensor in bases.items()}
        second = self._second(Q)
        first, rotates = self._first(Q)
        return Kept(preconds=preconds, bases=bases, first=first, second=second, turned=rotates)

    def _taken(self, name: str) -> Tensor:
        return Tensor(name, self.left.pop(name))

    def _of_shape(self, shape: tuple[int, ...]) -> list[str]:
        return [name for name, array in self.left.items() if array.shape[1:] == shape]

    def _means(self, axis: int) -> Array:
        """The reference's own average of GGᵀ after each step."""
        mean: Any = 0
        means = []
        for gradient in self.gradients:
            mean = self.rule.statistic(mean, gradient[None], axis)
            means.append(mean[0])
        return np.stack(means)

    def _assigned(
        self, name: str, axes: Sequence[int], cost: Callable[[int, Array], float | None]
    ) -> dict[int, Tensor]:
        """A matrix for each axis, such that together they cost least; what costs nothing goes in the order of both."""
        taken = {axis: self._taken(f"{name}_{axis}") for axis in axes if f"{name}_{axis}" in self.left}
        for n in dict.fromkeys(self.gradients.shape[axis + 1] for axis in axes):
            some = [axis for axis in axes if axis not in taken and self.gradients.shape[axis + 1] == n]
            kind = self._of_shape((n, n))
            table = np.full((len(some), len(kind)), float(IMPOSSIBLE))
            for i, axis in enumerate(some):
                for j, key in enumerate(kind):
                    found = cost(axis, self.left[key])
                    if found is not None:
                        table[i, j] = (found if found > EQUAL else 0) + ORDER * (i - j) ** 2
            for row, column in zip(*linear_sum_assignment(table), strict=True):
                if table[row, column] < IMPOSSIBLE:
                    taken[some[row]] = self._taken(kind[column])
        return {axis: taken[axis] for axis in axes if axis in taken}

    def _second(self, bases: Mapping[int, Array]) -> Tensor | None:
        kind = self._of_shape(self.gradients.shape[1:])
        if "exp_avg_sq" in kind:
            return self._taken("exp_avg_sq")
        positive = [name for name in kind if np.all(np.nan_to_num(self.left[name]) >= 0)]
        before = {axis: np.nan_to_num(Q[:-1]) for axis, Q in bases.items()}
        squares = rotated(self.gradients[1:], before) ** 2  # G′² in the basis before each step
        off = {name: _departs(self.left[name], squares, self.rule.betas[1], in_any_order=True) for name in positive}
        return self._taken(min(off, key=off.__getitem__)) if off else None

    def _first(self, bases: Mapping[int, Array]) -> tuple[Tensor | None, bool]:
        kind = self._of_shape(self.gradients.shape[1:])
        kind = ["exp_avg"] if "exp_avg" in kind else kind
        known = {axis: np.nan_to_num(Q) for axis, Q in bases.items()}
        off = {}
        for name in kind:
            after = np.nan_to_num(self.left[name])
            for rotates, original in ((False, after), (True, rotated(after, known, back=True))):
                off[name, rotates] = _departs(original, self.gradients[1:], self.rule.betas[0])
        if not off:
            return None, False
        name, rotates = min(off, key=off.__getitem__)
        return self._taken(name), rotates


def _departs(after: Array, terms: Array, beta: Any, *, in_any_order: bool = False) -> float:
    """How far from an average of these terms, relative to its size."""
    after = np.nan_to_num(after)
    mean, next_ = (x.reshape(len(terms), -1) for x in (beta * after[:-1] + (1 - beta) * terms, after[1:]))
    if in_any_order:
        mean, next_ = np.sort(mean, axis=1), np.sort(next_, axis=1)
    return float(np.linalg.norm(next_ - mean)) / (float(np.linalg.norm(next_)) or 1.0)


def _apart(after: Array, means: Array) -> float | None:
    """1 − the cosine of all of a tensor's numbers and those of the average; None of what is not symmetric."""
    known = np.nan_to_num(after)
    if np.any(np.abs(known - known.swapaxes(1, 2)) > SYMMETRIC * np.max(np.abs(known), initial=0)):
        return None
    size = float(np.linalg.norm(known) * np.linalg.norm(means))
    return 1 - float(np.vdot(known, means)) / size if size else 1.0


def _undecomposed(after: Array, first: Array) -> float | None:
    """How far from orthogonal, and QᵀLQ of the first matrix from diagonal; None of what is not near to orthogonal."""
    Q, n = np.nan_to_num(after), after.shape[-1]
    off = float(np.max(np.abs(Q.swapaxes(1, 2) @ Q - np.eye(n)), initial=0))
    inside = Q[0].T @ np.nan_to_num(first) @ Q[0]
    beside = float(np.linalg.norm(inside * (1 - np.eye(n))))
    return off + beside / (float(np.linalg.norm(inside)) or 1.0) if off <= NEAR else None
