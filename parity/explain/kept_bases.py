"""Which of the tensors that a class keeps are SOAP's: the matrix and the basis of each axis, and both averages.

Names differ from code to code, so that numbers tell. That decides what is judged as what, and no verdict::

    precond_i   (n, n), symmetric: the one most parallel, over all steps, to the reference's own
    basis_i     (n, n), QᵀQ nearer to I than :data:`NEAR`: of these the one that makes precond_i most diagonal
    exp_avg_sq  of the parameter's shape, nowhere negative: the one that goes on most nearly as v does in that basis
    exp_avg     of the same shape: the one that goes on most nearly as m does, in the original space or in the rotated

A tensor that has one of these names, or was given it by ``--state``, is taken for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refimpl.arithmetic.bases import rotated
from refimpl.arithmetic.lift import map_numbers
from refimpl.optimizers.soap import SOAP
from refimpl.types import Array

NEAR = 0.5
SYMMETRIC = 1e-3
"""Of the largest element: up to which a matrix is taken for a symmetric one."""


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
        preconds, bases, missing = {}, {}, []
        axes = self.rule.axes(self.gradients.shape)
        for axis in axes:
            if (tensor := self._precond(axis)) is not None:
                preconds[axis] = tensor
        for axis in axes:
            if axis in preconds and (tensor := self._basis(axis, preconds[axis].after)) is not None:
                bases[axis] = tensor
            missing += [name for name, some in (("precond", preconds), ("basis", bases)) if axis not in some]
        if missing:
            return Kept(preconds=preconds, bases=bases, missing=tuple(missing))
        turned = self._turned({axis: tensor.after for axis, tensor in bases.items()})
        second = self._second(turned)
        first, rotates = self._first(turned)
        return Kept(preconds=preconds, bases=bases, first=first, second=second, turned=rotates)

    def _taken(self, name: str) -> Tensor:
        return Tensor(name, self.left.pop(name))

    def _of_shape(self, shape: tuple[int, ...]) -> list[str]:
        return [name for name, array in self.left.items() if array.shape[1:] == shape]

    def _precond(self, axis: int) -> Tensor | None:
        n = self.gradients.shape[axis + 1]
        own, kind = f"precond_{axis}", self._of_shape((n, n))
        if own in kind:
            return self._taken(own)
        mean: Any = 0
        means = []
        for gradient in self.gradients:
            mean = self.rule.statistic(mean, gradient[None], axis)
            means.append(mean[0])
        symmetric = {name: _cosine(self.left[name], np.stack(means)) for name in kind if _symmetric(self.left[name])}
        return self._taken(max(symmetric, key=symmetric.__getitem__)) if symmetric else None

    def _basis(self, axis: int, precond: Array) -> Tensor | None:
        n = self.gradients.shape[axis + 1]
        own, kind = f"basis_{axis}", self._of_shape((n, n))
        if own in kind:
            return self._taken(own)
        off = {}
        for name in kind:
            Q = np.nan_to_num(self.left[name])
            turned = Q.swapaxes(1, 2) @ Q
            apart = float(np.max(np.abs(turned - np.eye(n)), initial=0))
            inside = Q.swapaxes(1, 2) @ np.nan_to_num(precond) @ Q
            beside = inside * (1 - np.eye(n))
            if apart <= NEAR:
                off[name] = apart + float(np.sqrt((beside**2).sum() / max((inside**2).sum(), np.finfo(float).tiny)))
        return self._taken(min(off, key=off.__getitem__)) if off else None

    def _turned(self, bases: Mapping[int, Array]) -> Array:
        """G′ of each step after the first, in the basis that the class had before it."""
        made = [
            rotated(self.gradients[k : k + 1], {axis: Q[k - 1 : k] for axis, Q in bases.items()})
            for k in range(1, len(self.gradients))
        ]
        return np.concatenate(made) if made else self.gradients[:0]

    def _second(self, turned: Array) -> Tensor | None:
        kind = self._of_shape(self.gradients.shape[1:])
        if "exp_avg_sq" in kind:
            return self._taken("exp_avg_sq")
        positive = [name for name in kind if np.all(np.nan_to_num(self.left[name]) >= 0)]
        off = {name: _departs(self.left[name], turned**2, self.rule.betas[1]) for name in positive}
        return self._taken(min(off, key=off.__getitem__)) if off else None

    def _first(self, turned: Array) -> tuple[Tensor | None, bool]:
        kind = self._of_shape(self.gradients.shape[1:])
        kind = ["exp_avg"] if "exp_avg" in kind else kind
        off = {
            (name, rotates): _departs(self.left[name], gradients, self.rule.betas[0])
            for name in kind
            for rotates, gradients in ((False, self.gradients[1:]), (True, turned))
        }
        if not off:
            return None, False
        name, rotates = min(off, key=off.__getitem__)
        return self._taken(name), rotates


def _departs(after: Array, terms: Iterable[Any], beta: Any) -> float:
    """How far from an average of these terms, in most of its steps: others may have changed the basis."""
    after = np.nan_to_num(after)
    off = [
        float(np.linalg.norm(after[k + 1] - (beta * after[k] + (1 - beta) * term)))
        for k, term in enumerate(terms)
        if len(after) > k + 1
    ]
    size = float(np.linalg.norm(after)) or 1.0
    return float(np.median(off)) / size if off else 0.0


def _symmetric(after: Array) -> bool:
    known = np.nan_to_num(after)
    return bool(np.all(np.abs(known - known.swapaxes(1, 2)) <= SYMMETRIC * np.max(np.abs(known), initial=0)))


def _cosine(one: Array, other: Array) -> float:
    one, other = np.nan_to_num(one).ravel(), other.ravel()
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / size if size else 0.0
