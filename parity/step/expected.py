"""What a correct run may have: expected values with their allowance, and the comparison of a candidate with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.exact import fits
from refimpl.arithmetic.formats import Format
from refimpl.types import Array

OfRun = Literal["data", "initial", "initial state", "train loss", "validation loss", "norm"]
OfBatch = Literal["loss", "objective", "objective as asked", "gradient", "gradient off span"]
OfStep = Literal["untouched gradient", "untouched input", "state", "update", "whole step", "average"]
OfTensor = Literal[
    "value", "start value", "loaded", "untouched", "version", "gradient untouched", "clipped", "as asked"
]
OfTensors = Literal["accumulated", "reduced", "ranks", "storage", "count"]
OfStage = Literal["start", "gram", "polynomial", "iterate", "products"]
OfBasis = Literal["orthogonality", "eigenvectors", "power iteration", "basis"]
Kind = Literal[OfRun, OfBatch, OfStep, OfTensor, OfTensors, OfStage, OfBasis]
"""The kinds in the order of the computation; ``"value"``, of a tensor after a step, is named by the tensor alone."""
KINDS: tuple[Kind, ...] = get_args(Kind)
NAMELESS = ("train loss", "validation loss", "norm", "loss", "objective", "objective as asked", "gradient off span")
"""Kinds that a run has once."""
TEXTS: dict[Kind, str] = {
    **{kind: f"{kind} {{tensor}}" for kind in KINDS[: KINDS.index("value")]},
    **{kind: f"{{tensor}} {kind}" for kind in KINDS[KINDS.index("value") :]},
    **{kind: kind for kind in KINDS if kind in NAMELESS},
    "untouched gradient": "untouched gradients/{tensor}",
    "untouched input": "untouched inputs/{tensor}",
    "value": "{tensor}",
    "start value": "{tensor} initial",
    "version": "{tensor} version untouched",
    "gradient untouched": "{tensor} grad untouched",
    "ranks": "{tensor} equal on all ranks",
    "count": "number of {tensor}",
    "products": "{tensor} number of products",
}


@dataclass(frozen=True)
class Quantity:
    """``parameter`` (or the name of an input or a hyper-parameter), ``key`` of a tensor of its state, ``number`` of an
    iteration or of a pair of vectors; ``shape``: not its numbers, but its shape."""

    kind: Kind
    parameter: str = ""
    key: str = ""
    number: int | None = None
    shape: bool = False

    @property
    def order(self) -> int:
        """The place of its kind in the computation of a step."""
        return KINDS.index(self.kind)

    @property
    def tensor(self) -> str:
        """``weight``, or ``weight.exp_avg`` of its state."""
        return ".".join(name for name in (self.parameter, self.key) if name)

    @property
    def local(self) -> str:
        """The text without the parameter: ``exp_avg``, ``grad untouched``, and nothing for the parameter itself."""
        return str(replace(self, parameter=""))

    @property
    def stage(self) -> str:
        """The name of the stage without the number of the iteration."""
        return replace(self, number=None).local

    def __str__(self) -> str:
        number = "" if self.number is None else f" {self.number}"
        text = f"{TEXTS[self.kind].format(tensor=self.tensor)}{number}".strip()
        return f"shape of {text}" if self.shape else text


@dataclass(frozen=True)
class Expected:
    """One quantity at some steps, all arrays ``(steps, …)``; ``allowance``: 0 where ``exact``, ∞ where unknown."""

    quantity: Quantity
    steps: Array
    candidate: Array
    value: Array
    allowance: Array
    exact: Array

    @property
    def share(self) -> Array:
        """|candidate − value| ÷ allowance, elementwise: above 1 no correct implementation can be."""
        equal = self.candidate == self.value
        if equal.all():
            return np.broadcast_to(0.0, equal.shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(equal, 0, np.abs(self.candidate - self.value) / self.allowance)
        unknown = np.isinf(self.allowance)
        return np.where(unknown, 0, np.where(np.isnan(share), np.inf, share))

    def widened(self, half_unit: Array) -> Expected:
        """The expectation with a wider allowance, for a candidate that is known to ± ``half_unit`` only."""
        return replace(self, allowance=self.allowance + half_unit) if np.any(half_unit) else self


def expect(quantity: Quantity, steps: Array, candidate: Array, bounded: Bounded, store: Format) -> Expected:
    """From a value with its error: plus half an ulp where the result is stored in less than it was computed in."""
    error = bounded.error
    if store.digits < bounded.format.digits:
        reach = np.abs(bounded.value) + error
        stored = error + store.half_ulp(np.where(np.isfinite(reach), reach, 1))
        error = np.where(reach <= store.largest, stored, np.inf)
    error = np.where(np.isnan(bounded.value), np.inf, error)
    return Expected(
        quantity, steps, np.asarray(candidate, bounded.value.dtype), bounded.value, error, np.zeros(error.shape, bool)
    )


def expect_one(quantity: Quantity, step: int, candidate: Array | None, bounded: Any, store: Format) -> Expected:
    """The expectation of one step; a tensor that is missing, or has another shape, agrees with nothing."""
    if candidate is None or bounded.shape != candidate.shape:
        return equal(replace(quantity, shape=True), step, np.full((1, 1), np.nan), np.zeros((1, 1)))
    return expect(quantity, np.array([step]), candidate, bounded, store)


def equal(quantity: Quantity, steps: Any, candidate: Any, wanted: Any) -> Expected:
    """Held to equality; nan agrees with nothing."""
    shape = np.broadcast_shapes(np.shape(candidate), np.shape(wanted))
    has, value = (np.broadcast_to(np.asarray(some, np.result_type(some, float)), shape) for some in (candidate, wanted))
    exact = np.broadcast_to(np.True_, shape)
    return Expected(quantity, np.atleast_1d(steps), has, value, np.broadcast_to(0.0, shape), exact)


def sharpen(expected: Expected, exact: Any, format: Format) -> Expected:
    """Tolerance zero where the exact result shows that no rounding can have happened, and the bound no overflow."""
    is_exact = fits(exact, format) & np.isfinite(expected.allowance)
    value = expected.value.copy()
    value[is_exact] = [float(number) for number in exact[is_exact]]
    return replace(expected, value=value, allowance=np.where(is_exact, 0, expected.allowance), exact=is_exact)


def in_use(share: float) -> str:
    """How much of the tolerance the largest error takes, and what that means, where numbers agree."""
    return f"at most {share:.2f} of it used (correct code uses up to 1)"


@dataclass(frozen=True)
class Disagreement:
    """The first element of a quantity that no correct implementation can have."""

    quantity: Quantity
    step: int
    index: tuple[int, ...]
    candidate: float
    expected: float
    allowance: float

    def __str__(self) -> str:
        where = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        return (
            f"{self.quantity}{where} at step {self.step}: {self.candidate!r}, "
            f"expected {self.expected!r} ± {self.allowance:.3g}"
        )


@dataclass(frozen=True)
class Comparison:
    """A quantity over the whole run.

    ``steps`` and ``share``: the largest error ÷ allowance per step. ``used``: the largest of all, over elements with a
    rounding allowance. ``exact``: number of elements held to equality; ``unknown``: number without any bound, from
    step ``first_unknown`` on.
    """

    quantity: Quantity
    steps: Array
    share: Array
    used: float
    elements: int
    exact: int
    unknown: int
    first_unknown: int
    disagreement: Disagreement | None


def compare(pieces: Iterable[Expected]) -> list[Comparison]:
    """One comparison per quantity, in the order in which they first appear."""
    by_quantity: dict[Quantity, list[Comparison]] = {}
    for piece in pieces:  # each of them is compared before the next is made: together they may not fit in memory
        by_quantity.setdefault(piece.quantity, []).append(_compare(piece))
    return [_together(some) for some in by_quantity.values()]


def _compare(piece: Expected) -> Comparison:
    share = piece.share
    unbounded = np.isinf(piece.allowance).reshape(len(share), -1).any(axis=1)
    return Comparison(
        quantity=piece.quantity,
        steps=piece.steps,
        share=share.reshape(len(share), -1).max(axis=1, initial=0).astype(float),
        used=float(np.max(np.where(piece.exact, 0, share), initial=0)),
        elements=share.size,
        exact=int(piece.exact.sum()),
        unknown=int(np.isinf(piece.allowance).sum()),
        first_unknown=int(min(piece.steps[unbounded], default=-1)),
        disagreement=_first(piece, share),
    )


def _together(parts: list[Comparison]) -> Comparison:
    """One comparison of several pieces of a run."""
    steps = np.concatenate([part.steps for part in parts])
    order = np.argsort(steps, kind="stable")
    return Comparison(
        quantity=parts[0].quantity,
        steps=steps[order],
        share=np.concatenate([part.share for part in parts])[order],
        used=max(part.used for part in parts),
        elements=sum(part.elements for part in parts),
        exact=sum(part.exact for part in parts),
        unknown=sum(part.unknown for part in parts),
        first_unknown=min((part.first_unknown for part in parts if part.unknown), default=-1),
        disagreement=min((p.disagreement for p in parts if p.disagreement), key=lambda d: d.step, default=None),
    )


def _first(piece: Expected, share: Array) -> Disagreement | None:
    """The worst element of the first step that disagrees."""
    wrong = share.reshape(len(share), -1).max(axis=1, initial=0) > 1
    if not wrong.any():
        return None
    position = min(np.flatnonzero(wrong), key=lambda i: piece.steps[i])
    index = np.unravel_index(int(np.argmax(share[position])), share[position].shape)
    where = (position, *index)
    return Disagreement(
        quantity=piece.quantity,
        step=int(piece.steps[position]),
        index=tuple(int(i) for i in index),
        candidate=float(piece.candidate[where]),
        expected=float(piece.value[where]),
        allowance=float(piece.allowance[where]),
    )
