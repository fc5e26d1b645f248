"""Muon along a run of code of any form: each stage of its step is held to the products that the code itself made.

A bound over the whole of Newton and Schulz's iteration in bfloat16 is worth nothing
(:mod:`parity.judge.stages`, which judges torch's own class). Of other code only the products of matrices are recorded,
from which one chain of three for each iteration is taken, for each parameter the one that starts nearest::

    start        the left factor of XXᵀ                 held to U/max(‖U‖, ε) of the reference's own momentum
    gram         A, the result of it                    held to XXᵀ
    polynomial   B, the left factor of BX               held to bA + cAA, as c·(AA) or as (cA)A
    iterate      the left factor of the next XXᵀ        held to aX + BX
    weights      after the step                         held to w(1 − ηλ) − η′O from the last product

O is known exactly where the last product adds aX itself (``addmm``), and to some roundings where it does not. The step
may be scaled in the format of O before it meets the weights: one rounding of it and one of the scale more, times the
form factor. Matrices of more than two axes, and coefficients that change from round to round, are not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from parity.judge.stages import Product, cast
from parity.step.arithmetics import Rounding
from parity.step.expected import Expected, Kind, Quantity, expect_one
from refimpl.arithmetic.bounded import Bounded, Profile, gamma
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.kernels import either
from refimpl.arithmetic.lift import map_numbers
from refimpl.optimizers.muon import Muon
from refimpl.types import Array, Decay, State

FLOAT32 = FORMATS["float32"]
ADDING = ("addmm", "baddbmm")
"""Products that add a matrix to what they make."""


@dataclass(frozen=True, kw_only=True)
class Staged:
    """Muon, each of whose steps goes on from the ``products`` of the call in which it was made.

    The state has ``turn``, the number of steps made, and ``stages``, what each stage of the last one is held to. Where
    a step has no chain of products, nothing bounds the weights after it.
    """

    decay: ClassVar[Decay] = "decoupled"
    inner: Muon
    products: tuple[tuple[Product, ...], ...]

    def init(self, param: Array) -> State:
        return {**self.inner.init(param), "turn": np.zeros(len(param), int)}

    def step(self, param: Any, grad: Any, state: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
        turn = state["turn"]
        number = int(turn.flat[0])
        buffer = self.inner.buffer(grad, state)
        made = {"momentum_buffer": buffer, "turn": turn + 1}
        direction = self.inner.direction(grad, buffer)
        products = self.products[number] if number < len(self.products) else ()
        exact = map_numbers(self.inner, lambda x: float(x.value) if isinstance(x, Bounded) else x)
        rounds = [
            _Rounds(exact, number, chain, param.profile.form)
            for chain in chains(products, param.shape[-2:], self.inner.ns_steps)
        ]
        if not rounds:
            unknown = Bounded(np.zeros((len(param), *sorted(param.shape[1:]))), np.inf, param.profile)
            return self.inner.moved(param, unknown), made
        starts = [one.start(direction) for one in rounds]
        start, best = min(zip(starts, rounds, strict=True), key=lambda pair: _worst(pair[0]))
        last = best.last
        stages = [start, *best.stages()]
        return self.inner.moved(param, Bounded(last.value, last.error, param.profile)), {**made, "stages": stages}


def staged(optimizer: Any, products: tuple[tuple[Product, ...], ...]) -> Any:
    """The optimizer with every Muon in it judged in stages; any other as it is."""
    if isinstance(optimizer, Muon):
        return Staged(inner=optimizer, products=products)
    inner = getattr(optimizer, "inner", None)
    return optimizer if inner is None else replace(optimizer, inner=staged(inner, products))


def disagreeing(state: Mapping[str, Any]) -> Expected | None:
    """The first stage of a step, in the order of the computation, that no correct code can have."""
    return next((one for one in state.get("stages", ()) if _worst(one) > 1), None)


def has_chain(products: Sequence[Sequence[Product]], shape: tuple[int, ...], steps: int) -> bool:
    """Whether any call made the products of a parameter of this shape."""
    return len(shape) == 2 and any(next(chains(made, shape, steps), None) is not None for made in products)


def chains(products: Sequence[Product], shape: tuple[int, ...], steps: int) -> Iterator[list[Product]]:
    """Three products for each iteration, of a parameter's shape; those of a batch one by one."""
    rows, columns = sorted(shape)
    length = 3 * steps
    for start in range(len(products) - length + 1 if length and rows else 0):
        some = products[start : start + length]
        if not all(_is_round(some[k : k + 3], rows, columns) for k in range(0, length, 3)):
            continue
        batches = [[_slices(one.left), _slices(one.right), _slices(one.result)] for one in some]
        for index in range(len(batches[0][0])):
            yield [
                replace(one, left=left[index][None], right=right[index][None], result=result[index][None])
                for one, (left, right, result) in zip(some, batches, strict=True)
            ]


def _is_round(three: Sequence[Product], rows: int, columns: int) -> bool:
    """Whether three products are XXᵀ, AA or (cA)A, and BX, of these shapes."""
    if any(one.left.ndim < 3 for one in three):
        return False
    gram, square, iterate = three
    return (
        gram.left.shape[-2:] == (rows, columns)
        and np.array_equal(gram.right, gram.left.swapaxes(-1, -2))
        and square.left.shape[-2:] == square.right.shape[-2:] == (rows, rows)
        and iterate.left.shape[-2:] == (rows, rows)
        and np.array_equal(_slices(iterate.right), _slices(gram.left))
    )


def _slices(array: Array) -> Array:
    return array.reshape(-1, *array.shape[-2:])


def _number(x: Any) -> Any:
    return x.value if isinstance(x, Bounded) else x


def _worst(piece: Expected) -> float:
    return float(np.max(piece.share, initial=0))


class _Rounds:
    """One chain of products, and what its stages are held to, in the format that its factors have."""

    def __init__(self, optimizer: Muon, number: int, chain: Sequence[Product], form: float) -> None:
        self.number, self.chain = number, chain
        self.format = FORMATS[chain[0].format or "bfloat16"]
        wide = FLOAT32 if self.format.digits < FLOAT32.digits else self.format
        self.low = Profile(compute=self.format, accumulate=wide, form=form)
        self.summed = Profile(compute=wide, accumulate=wide, form=form)
        self.elementwise = Rounding(self.low).hyper(optimizer, 3)
        self.product = Rounding(self.summed).hyper(optimizer, 3)

    def start(self, direction: Bounded) -> Expected:
        """X before the first round."""
        return self._held("start", self.chain[0].left, self.elementwise.start(cast(direction, self.low)))

    def stages(self) -> Iterator[Expected]:
        """A, B and X of each round, each from the recorded one before."""
        for k in range(0, len(self.chain), 3):
            gram, _, iterate = self.chain[k : k + 3]
            number = k // 3 + 1
            made = self.product.gram(Bounded.tensor(gram.left, self.summed))
            yield self._held("gram", gram.result, made, number)
            yield self._held("polynomial", iterate.left, self._polynomial(gram.result), number)
            if iterate.name in ADDING:
                yield self._held("iterate", iterate.result, self._iterate(gram, iterate), number)
            if k + 3 < len(self.chain):
                made = self._tensor(iterate.result) if iterate.name in ADDING else self._iterate(gram, iterate)
                yield self._held("iterate", self.chain[k + 3].left, made, number)

    @property
    def last(self) -> Bounded:
        """O: what the last product made, with aX where it did not add that itself; it may be scaled in its format."""
        gram, _, iterate = self.chain[-3:]
        O = self._tensor(iterate.result)  # noqa: E741  # the literature's letter
        if iterate.name not in ADDING:
            O = self.elementwise.ns_coefficients[0] * self._tensor(gram.left) + O  # noqa: E741
        scaled = self.low.form * (self.format.u + self.summed.compute.u) * (np.abs(O.value) + O.error)
        return Bounded(O.value, O.error + scaled, self.low)

    def _polynomial(self, result: Array) -> Any:
        """bA + c(AA), or bA + (cA)A."""
        A, (_, b, c) = self._tensor(result), self.elementwise.ns_coefficients
        return self._in_one_sum(either(b * A + c * (A @ A), b * A + (c * A) @ A), b, result, c, result, result)

    def _iterate(self, gram: Product, iterate: Product) -> Any:
        """aX + BX."""
        made = self.elementwise.iterate(self._tensor(gram.left), self._tensor(iterate.left))
        a, _, _ = self.elementwise.ns_coefficients
        return self._in_one_sum(made, a, gram.left, 1, iterate.left, gram.left)

    def _in_one_sum(self, made: Bounded, beta: Any, C: Array, alpha: Any, left: Array, right: Array) -> Bounded:
        """βC + α·(left @ right), as it may also be made: a sum of n + 1 terms in any order, of up to two factors more.

        A kernel that begins with βC rounds it with every term that it adds.
        """
        reach = abs(_number(beta)) * np.abs(C) + abs(_number(alpha)) * (np.abs(left) @ np.abs(right))
        return Bounded(made.value, made.error + gamma(left.shape[-1] + 2, self.low) * reach, self.low)

    def _tensor(self, array: Array) -> Bounded:
        return Bounded.tensor(array, self.low)

    def _held(self, kind: Kind, candidate: Array, bounded: Any, number: int | None = None) -> Expected:
        return expect_one(Quantity(kind, number=number), self.number, candidate, bounded, self.format)
