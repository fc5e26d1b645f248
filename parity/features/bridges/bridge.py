"""The parts of a bridge: a statement with its proof, and the numbers that show it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.experiment import Experiment
from parity.experiment_file import load
from parity.gallery import FOLDER
from refimpl.datasets.dataset import Dataset
from refimpl.losses.squared_error import SquaredError
from refimpl.types import Array

LOSS = SquaredError(factor=0.5, reduction="mean")
"""The loss of every bridge, and of the textbook."""


@dataclass(frozen=True, kw_only=True, eq=False)  # eq=False: arrays have no single truth value
class Identity:
    """Numbers that two computations agree on and share no formula for: ``one`` and ``other``, of any equal shape.

    ``claim``: what is equal; ``ways``: how each was computed; ``promised``: the digits that they agree to at least.
    """

    claim: str
    ways: tuple[str, str]
    one: Array
    other: Array
    promised: int

    @property
    def digits(self) -> float:
        """−log₁₀(max|one − other| ÷ max|other|), at most 16; 0 where other is 0 and one is not."""
        difference = float(np.max(np.abs(self.one - self.other)))
        largest = float(np.max(np.abs(self.other)))
        if difference == 0:
            return 16.0
        return min(-math.log10(difference / largest), 16.0) if largest > 0 else 0.0  # nan where one has nan

    @property
    def holds(self) -> bool:
        return self.digits >= self.promised


@dataclass(frozen=True, kw_only=True, eq=False)
class Computation:
    """The numbers of a bridge; each bridge has its own, with the arrays of its picture as further fields.

    ``identities``: the two sides of each equation. ``facts``: what else is to be seen, by the words that say it.
    """

    identities: tuple[Identity, ...]
    facts: Mapping[str, float]


@dataclass(frozen=True)
class Bridge:
    """``text``: title, statement and proof, a paragraph each and more; ``compute``: the evidence, from a seed."""

    text: str
    compute: Callable[[int], Computation]

    @property
    def title(self) -> str:
        return self.text.split("\n\n")[0].rstrip(".")

    @property
    def statement(self) -> str:
        """The first paragraph after the title."""
        return " ".join(self.text.split("\n\n")[1].split())

    @property
    def proof(self) -> str:
        return self.text.split("\n\n", 2)[2].rstrip() + "\n"


def textbook(seed: int, **data: Any) -> Experiment:
    """The data of the textbook's run from scratch; ``data`` replaces fields of its generator."""
    experiment = load(FOLDER / "s0-scratch-lam0.toml")
    return replace(experiment, seed=seed, data=replace(experiment.data, **data))  # type: ignore[type-var]


def centred(data: Dataset) -> Dataset:
    """The rows and targets minus the training means, validation rows included: a model without bias on these."""
    assert data.X_validation is not None and data.y_validation is not None
    x_mean, y_mean = data.X.mean(axis=1, keepdims=True), data.y.mean(axis=1, keepdims=True)
    return Dataset(
        X=data.X - x_mean,
        y=data.y - y_mean,
        X_validation=data.X_validation - x_mean,
        y_validation=data.y_validation - y_mean,
    )
