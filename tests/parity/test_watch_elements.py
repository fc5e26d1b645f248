"""Which elements of a large tensor a sample sees, and that the one that is named is the one that is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import parity
from parity.features.watch.elements import BLOCKS, chosen, edges
from tests.parity.watched import after_step, one


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 1000, 4096, 65_535, 65_536, 65_537, 200_000, 2_359_296])
def test_the_edges_are_both_ends_and_both_sides_of_multiples_of_every_block(size: int) -> None:
    found = set(edges(size).tolist())
    assert {0, size - 1} <= found <= set(range(size))
    for block in BLOCKS:
        for near in (block, size // 2, size):
            multiple = near // block * block
            assert {side for side in (multiple - 1, multiple) if 0 <= side < size} <= found
    assert len(found) <= 128 + 6 * len(BLOCKS)


def test_of_a_large_tensor_as_many_elements_are_drawn_as_asked_anew_for_each_seed() -> None:
    first, again, other = (chosen(100_000, 4096, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first is not None
    assert other is not None
    assert np.array_equal(first, again)
    assert len(np.intersect1d(first, other)) < 1000
    assert 4096 <= len(first) <= 4096 + len(edges(100_000))
    assert np.all(np.diff(first) > 0)
    assert chosen(4096, 4096, np.random.default_rng(0)) is None


def test_the_generators_of_torch_and_numpy_stay_where_they_are() -> None:
    w = one(10_000)
    optimizer = torch.optim.SGD([w], lr=0.1)
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    with parity.watch(optimizer, elements=10):
        optimizer.step()
    assert torch.equal(torch_before, torch.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


@pytest.mark.parametrize("layout", ["rows", "transposed", "channels_last"])
def test_the_element_that_is_named_is_the_one_that_is_wrong_in_any_layout(layout: str) -> None:
    shape = (64, 3, 5, 7)
    index = (63, 2, 4, 5)  # one of the last 64

    def spoil(optimizer: Any) -> None:
        optimizer.param_groups[0]["params"][0][index] += 0.25

    start = torch.randn(shape, generator=torch.Generator().manual_seed(5))
    if layout == "transposed":
        start = start.transpose(0, 3).contiguous().transpose(0, 3)
    elif layout == "channels_last":
        start = start.to(memory_format=torch.channels_last)
    w = start.requires_grad_()
    assert w.is_contiguous() == (layout == "rows")
    w.grad = torch.randn_like(start)
    optimizer = after_step(spoil, torch.optim.SGD)([w], lr=0.1, momentum=0.9)
    with parity.watch(optimizer, on_violation="collect", elements=10) as watch:
        optimizer.step()
    (violation,) = watch.report.violations
    assert violation.index == index
    assert violation.candidate == w[index].item()
    assert violation.candidate - violation.expected == pytest.approx(0.25)


def test_numbers_that_overflow_are_counted_as_unbounded_without_a_warning() -> None:
    w = one(50)
    assert w.grad is not None
    w.grad[:3] = torch.tensor([torch.inf, torch.nan, 3e38])
    optimizer = torch.optim.ASGD([w])
    with parity.watch(optimizer, every=1) as watch:
        optimizer.step()
        optimizer.step()
    assert watch.report.unbounded >= 6
    assert f"{watch.report.unbounded} more have no bound" in str(watch.report)


def test_full_sees_the_element_that_a_sample_misses() -> None:
    def spoil(optimizer: Any) -> None:
        optimizer.param_groups[0]["params"][0][7777] += 0.25

    found = {}
    for full in (False, True):
        optimizer = after_step(spoil, torch.optim.SGD)([one(20_000)], lr=0.1)
        with parity.watch(optimizer, on_violation="collect", elements=10, full=full) as watch:
            optimizer.step()
        found[full] = [violation.index for violation in watch.report.violations]
        assert (watch.report.numbers >= 40_000) == full
    assert found == {False: [], True: [(7777,)]}


def test_other_elements_are_drawn_at_each_step() -> None:
    """A fault in one element in 20 is seen in the end, however few are drawn at a time."""

    def spoil(optimizer: Any) -> None:
        optimizer.param_groups[0]["params"][0][10_007::20] += 0.25

    optimizer = after_step(spoil, torch.optim.SGD)([one(20_000)], lr=0.1)
    with parity.watch(optimizer, every=1, on_violation="collect", elements=10) as watch:
        for _ in range(20):
            optimizer.step()
    drawn = {violation.index for violation in watch.report.violations}
    assert len(drawn) >= 3
