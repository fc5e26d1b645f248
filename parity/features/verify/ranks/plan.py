"""What each rank is given in a case: the weights to begin with, and the gradient of each micro-batch in each step.

It is drawn from the case alone, so that every rank and the judge have the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np

from parity.features.verify.case import Case
from parity.features.verify.ranks.probe import SCALES, Counts, Pair, Place, coded, elements, pairs, rounds
from parity.features.verify.session import SHAPES
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array

MATRICES = ("Muon",)
"""Optimizers that take matrices only."""
BY_ROWS = ("Muon", "Adafactor")
"""Optimizers to which a matrix is more than its elements."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a reduction is asked to do.

    ``micro``: micro-batches of a step. ``local``: the format of a rank's own gradient, by default the case's dtype.
    ``wire``: the format of the reduction, by default the same. ``frozen``: parameters that have no gradient. ``alone``:
    parameters that are not reduced: each rank has its own gradient. ``unused``: parameters that the last rank does not
    use. ``leaves``: the step from which on the last rank has no batch any more; ``leaves_divisor``: the others are
    divided by their own number then. ``rows``: micro-batches of each rank in turn, where they are rows that all count
    the same. ``divisor``: what the sum is divided by, the number of ranks by default. ``sharded``: each rank has a part
    of each parameter. ``reloads``: the step after which all is saved, and loaded into new models and optimizers.
    """

    micro: int = 1
    local: str = ""
    wire: str = ""
    frozen: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    leaves: int | None = None
    leaves_divisor: bool = False
    rows: tuple[int, ...] = ()
    divisor: int | None = None
    sharded: bool = False
    reloads: int | None = None


@dataclass(frozen=True, kw_only=True)
class Window:
    """One step: ``gradients[rank][micro]`` by parameter. ``codes``: of the places, in a round of digits; ``cycle``:
    which time all places have their rounds. ``pairs``: of the elements, where the format is asked for.
    """

    kind: Literal["digits", "random", "format"]
    gradients: Sequence[Sequence[Mapping[str, Array]]]
    codes: Mapping[Place, float] = field(default_factory=dict)
    cycle: int = 0
    pairs: Sequence[Pair] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``start``: the weights of rank 0, ``(…)`` of the parameter's shape; ``windows``: the steps."""

    asked: Asked
    ranks: int
    start: Mapping[str, Array]
    windows: Sequence[Window]

    def counts(self, name: str, step: int, rank: int) -> Counts:
        """How often each place counts in what ``rank`` has after the reduction of a parameter."""
        asked, R = self.asked, self.ranks
        some = {(r, j): Fraction(1, asked.divisor or R) for j in range(asked.micro) for r in range(R)}
        if asked.rows:
            total = sum(self.rows)
            some = {(r, j): Fraction(j < self.rows[r], total) for r, j in some}
        if name in asked.alone:
            return {place: Fraction(place[0] == rank) for place in some}
        if name in asked.unused:
            return {place: Fraction(0) if place[0] == R - 1 else count for place, count in some.items()}
        if self.left(step):
            divisor = R - 1 if asked.leaves_divisor else R
            return {place: Fraction(0) if place[0] == R - 1 else Fraction(1, divisor) for place in some}
        return some

    @property
    def rows(self) -> tuple[int, ...]:
        """The number of rows of each rank."""
        return tuple(self.asked.rows[rank % len(self.asked.rows)] for rank in range(self.ranks))

    def left(self, step: int) -> bool:
        """Whether the last rank has no batch any more."""
        return self.asked.leaves is not None and step >= self.asked.leaves


def plan_of(case: Case, asked: Asked) -> Plan:
    """The numbers of a case, drawn from its own stream."""
    rng = np.random.default_rng(case.entropy)
    local, wire = asked.local or case.dtype, asked.wire or case.dtype
    start = {name: _drawn(rng, shape, case.dtype) for name, shape in shapes(case).items()}
    places = [(r, j) for j in range(asked.micro) for r in range(case.ranks)]
    digits = min(FORMATS[name].digits for name in (local, wire, case.dtype))
    cycles = [
        [
            _digits(start, coded(own, scale, digits), cycle, case.ranks, asked)
            for own in rounds(places, case.ranks, digits)
        ]
        for cycle, scale in enumerate(SCALES)
    ]
    random = [_random(rng, start, case.ranks, asked, local) for _ in range(2)]
    format = _format(start, case.ranks, asked, local, wire, case.dtype)
    windows = [*cycles[0], *cycles[1], random[0], format, random[1], *cycles[2]]
    return Plan(asked=asked, ranks=case.ranks, start=start, windows=windows)


def shapes(case: Case) -> dict[str, tuple[int, ...]]:
    """The parameters: ``w`` of the case's size, ``v`` of nine elements, and ``b`` of one, where one is allowed."""
    size = case.size
    matrix = SHAPES.get(size, (size // 25, 25) if size % 25 == 0 else (size, 1))
    if case.optimizer in MATRICES:
        return {"w": matrix, "v": (9, 2)}
    return {"w": matrix if case.optimizer in BY_ROWS and min(matrix) > 1 else (size,), "v": (9,), "b": (1,)}


def _drawn(rng: np.random.Generator, shape: Sequence[int], format: str) -> Array:
    return np.asarray(FORMATS[format].round(rng.standard_normal(tuple(shape))), float)


def _window_gradients(start: Mapping[str, Array], ranks: int, asked: Asked, of: object) -> list[list[dict[str, Array]]]:
    assert callable(of)
    names = [name for name in start if name not in asked.frozen]

    def given(rank: int, micro: int) -> dict[str, Array]:
        some = [name for name in names if not (name in asked.unused and rank == ranks - 1)]
        return {name: of(name, rank, micro) for name in some}

    return [[given(rank, micro) for micro in range(asked.micro)] for rank in range(ranks)]


def _digits(start: Mapping[str, Array], codes: Mapping[Place, float], cycle: int, ranks: int, asked: Asked) -> Window:
    def of(name: str, rank: int, micro: int) -> Array:
        return np.full(start[name].shape, codes.get((rank, micro), 0.0))

    gradients = _window_gradients(start, ranks, asked, of)
    return Window(kind="digits", gradients=gradients, codes=codes, cycle=cycle)


def _random(rng: np.random.Generator, start: Mapping[str, Array], ranks: int, asked: Asked, local: str) -> Window:
    def of(name: str, rank: int, micro: int) -> Array:
        del rank, micro
        return _drawn(rng, start[name].shape, local)

    return Window(kind="random", gradients=_window_gradients(start, ranks, asked, of))


def _format(start: Mapping[str, Array], ranks: int, asked: Asked, local: str, wire: str, dtype: str) -> Window:
    digits = min(FORMATS[wire].digits, FORMATS[dtype].digits)
    sums = min((wire, dtype), key=lambda name: FORMATS[name].digits)
    operands = min((local, sums), key=lambda name: FORMATS[name].digits)
    some = pairs(operands, sums)
    assert max(pair.digits for pair in some) <= digits

    def of(name: str, rank: int, micro: int) -> Array:
        shape = start[name].shape
        if micro or rank > 1:
            return np.zeros(shape)
        return elements(shape, [pair.of(rank == 0) for pair in some])

    return Window(kind="format", gradients=_window_gradients(start, ranks, asked, of), pairs=some)
