"""The depth of a kernel's sums is that of the order in which it adds, and bounds of it hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from parity.record import depth as measuring
from parity.record.depth import depth
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS

N = 37
Add = Callable[[Tensor], Tensor]
"""Terms ``(n, …)`` to their sum."""


def kernel(add: Add) -> Callable[[Tensor, Tensor], Tensor]:
    """The product whose sums are made so."""
    return lambda left, right: add(left.T[:, :, None] * right[:, None, :])


def one_by_one(terms: Tensor) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def backwards(terms: Tensor) -> Tensor:
    return one_by_one(terms.flip(0))


def by_halves(terms: Tensor) -> Tensor:
    half = len(terms) // 2
    return terms[0] if len(terms) == 1 else by_halves(terms[:half]) + by_halves(terms[half:])


def in_lanes(terms: Tensor) -> Tensor:
    return by_halves(torch.stack([one_by_one(terms[lane::4]) for lane in range(4)]))


def in_blocks(terms: Tensor) -> Tensor:
    return one_by_one(torch.stack([by_halves(block) for block in terms.split(8)]))


def three_at_once(terms: Tensor) -> Tensor:
    """Of each three the largest two first, as an instruction that adds three numbers at once does."""

    def of_three(three: Tensor) -> Tensor:
        order = three.abs().argsort(dim=0, descending=True)
        return one_by_one(three.gather(0, order))

    return one_by_one(torch.stack([of_three(three) for three in terms.split(3)]))


def by_column(terms: Tensor) -> Tensor:
    return torch.cat([one_by_one(terms[..., :1]), by_halves(terms[..., 1:])], dim=-1)


def by_row(terms: Tensor) -> Tensor:
    return torch.cat([one_by_one(terms[:, :1]), by_halves(terms[:, 1:])], dim=0)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize(
    ("add", "deepest"),
    [
        (one_by_one, N - 1),
        (backwards, N - 1),
        (by_halves, 6),
        (in_lanes, 9 + 2),
        (in_blocks, 3 + 4),
        (by_column, N - 1),
        (three_at_once, None),
        (by_row, None),
    ],
)
def test_the_depth_is_that_of_the_order_of_addition(add: Add, deepest: int | None, dtype: str) -> None:
    assert depth(kernel(add), N, 5, 3, dtype) == deepest


def test_a_result_that_does_not_hold_every_number_is_asked_part_by_part() -> None:
    assert depth(kernel(by_halves), 300, 64, 1, "bfloat16") == 9


@pytest.mark.parametrize(("n", "known"), [(0, 0), (1, 0), (2, 1), (measuring.MOST + 1, None)])
def test_sums_of_one_term_have_no_addition_and_those_of_too_many_are_not_probed(n: int, known: int | None) -> None:
    assert depth(kernel(one_by_one), n, 2, 2, "float32") == known


@pytest.mark.parametrize("n", [512, 2048])
def test_products_of_torch_are_within_the_bound_of_their_depth(n: int) -> None:
    """And the bound is that many times sharper."""
    deepest = depth(torch.mm, n, 64, 64, "float32")
    if deepest is None:
        pytest.skip("torch's product is no tree of additions here")
    rng = np.random.default_rng(n)
    left, right = (torch.tensor(rng.standard_normal(shape), dtype=torch.float32) for shape in ((64, n), (n, 64)))
    result = (left @ right).double().numpy()
    known, usual = (
        Bounded.tensor(left.double().numpy(), profile) @ Bounded.tensor(right.double().numpy(), profile)
        for profile in (
            Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"], depths=depths)
            for depths in (((n, deepest),), ())
        )
    )
    assert np.all(np.abs(result - known.value) <= known.error)
    assert np.allclose(usual.error / known.error, n / (deepest + 1), rtol=1e-3)


def test_a_depth_is_of_products_and_not_of_other_sums() -> None:
    x = np.full((1, 8), 0.1)
    profiles = [Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"], depths=d) for d in ((), ((8, 3),))]
    for made in (np.vecdot, lambda a, b: (a * b).sum(axis=1)):
        errors = [made(Bounded.tensor(x, p), Bounded.tensor(x, p)).error for p in profiles]
        assert errors[0] == errors[1]
    first, second = (Bounded.tensor(x, p) @ Bounded.tensor(x.T, p) for p in profiles)
    assert second.error < first.error
