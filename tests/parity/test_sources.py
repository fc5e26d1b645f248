"""Facts about the sources that the gallery's experiments rest on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import parity
from parity.backends.reference import run_reference


def half_squared_norms(name: str, seeds: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    experiment = parity.load(name)
    norms = [run_reference(replace(experiment, seed=seed), "loss").norm[-1, 0] for seed in range(seeds)]
    return np.array(norms) ** 2 / 2


def test_a_lazily_shaped_layer_forgets_the_weights_that_its_constructor_was_given() -> None:
    torch.manual_seed(0)
    layer = torch.nn.LazyLinear(1)
    layer.weight.data.normal_(0, 0.01)
    layer.bias.data.fill_(0)
    layer(torch.zeros(1, 200))
    bound = 1 / np.sqrt(200)
    assert layer.weight.abs().max().item() <= bound
    assert layer.weight.std().item() == pytest.approx(bound / np.sqrt(3), rel=0.1)
    assert layer.bias.item() != 0


@pytest.mark.parametrize(
    ("name", "printed"),
    [("s0-scratch-lam0", 0.00922), ("s0-scratch-lam3", 0.00162), ("s0-concise-lazy-lam3", 0.01408)],
)
def test_the_numbers_printed_in_the_textbook_lie_in_the_spread_over_seeds(name: str, printed: float) -> None:
    values = half_squared_norms(name, 40)
    assert abs(printed - values.mean()) < 3 * values.std()


def test_the_concise_run_as_described_would_not_have_given_the_printed_number() -> None:
    values = half_squared_norms("s0-concise-lam3", 40)
    assert values.max() < 0.01408 / 3
