"""Gradient accumulation: several micro-batches make one step of the optimizer.

A window of micro-batches B₁ … B_k with divisor m makes one step on::

    L = (1/m) Σⱼ L(B_j)             g = (1/m) Σⱼ ∂J(B_j),   J with the penalties that are in the gradient

A whole window has k = m. The last window of an epoch may be short, k < m; its divisor is a choice that trainers make
differently: ``"mean"`` divides it by k, so that it is as long a step as any other, ``"full"`` by m, so that it is a
shorter one, penalties included. Neither is the gradient of the mean over all rows of the window where micro-batches
have unequal sizes.

Where R ranks share the work (:mod:`refimpl.ranks`), each has a window of its own, and the sum of theirs is divided once
more, by R::

    g = (1/R) Σᵣ (1/m) Σⱼ ∂J(B_rj)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Literal

import numpy as np

from refimpl.arithmetic.sums import add_in_any_order
from refimpl.batches import Order
from refimpl.errors import ParameterError
from refimpl.problem import Problem
from refimpl.ranges import check_fields, check_integers
from refimpl.types import Array, Params


@dataclass(frozen=True)
class Window:
    """The rows of one step, micro-batch by micro-batch: the ``sizes`` of these, and the ``divisor`` m of their sum.

    Of several ``ranks`` the micro-batches stand rank by rank; ``world``: W, the divisor of the sum over ranks.
    """

    sizes: tuple[int, ...]
    divisor: int
    ranks: int = 1
    world: int = 1

    @property
    def slices(self) -> list[slice]:
        """The rows of each micro-batch among those of the step."""
        ends = list(accumulate(self.sizes))
        return [slice(end - size, end) for size, end in zip(self.sizes, ends, strict=True)]

    @property
    def micro(self) -> int:
        """k, the micro-batches of each rank."""
        return len(self.sizes) // self.ranks

    @property
    def share(self) -> float:
        """Rk/Wm, which multiplies a penalty that each micro-batch adds to its loss; 1 unless the window is short, or
        ranks are added up."""
        return len(self.sizes) / (self.divisor * self.world)


@dataclass(frozen=True, kw_only=True)
class Accumulation:
    """``micro`` batches make one step.

    ``last``: what divides a short last window: its own number of batches (``"mean"``) or ``micro`` (``"full"``).
    ``across_epochs``: a window goes on in the next epoch, and what is left at the end of the training makes no step.
    """

    micro: int
    last: Literal["mean", "full"] = "mean"
    across_epochs: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, micro=1)

    def windows(self, batches: Order) -> tuple[Order, tuple[Window, ...]]:
        """The rows of each step of every epoch, and how each step's rows are divided.

        Raises :class:`ParameterError` where an epoch has no step of its own.
        """
        steps: list[list[Array]] = []
        windows: list[Window] = []
        waiting: list[Array] = []
        for of_epoch in batches:
            steps.append([])
            for i, rows in enumerate(of_epoch):
                waiting.append(rows)
                ends = i == len(of_epoch) - 1 and not self.across_epochs
                if len(waiting) == self.micro or ends:
                    divisor = len(waiting) if self.last == "mean" else self.micro
                    steps[-1].append(np.concatenate(waiting))
                    windows.append(Window(tuple(map(len, waiting)), divisor))
                    waiting = []
            if not steps[-1]:
                raise ParameterError(
                    "micro",
                    given=f"{self.micro} with {len(of_epoch)} batches an epoch: an epoch without a step",
                    allowed="a step in every epoch",
                    remedy="give a smaller micro, or across_epochs = false",
                )
        return tuple(map(tuple, steps)), tuple(windows)


def accumulated(
    problem: Problem, window: Window, params: Params, X: Array, y: Array, mask: Array | None = None
) -> tuple[Array, Array, dict[str, Array]]:
    """L, J and g of a step whose rows are ``X`` and ``y``, with the ``mask`` of a model that drops units."""
    losses: list[Any] = []
    objectives: list[Any] = []
    gradients: list[dict[str, Array]] = []
    for rows in window.slices:
        micro = masked(problem, None if mask is None else mask[:, rows])
        outputs = micro.model.forward(params, X[:, rows])
        loss = micro.loss.value(outputs, y[:, rows])
        gradient = micro.gradient_from(outputs, params, X[:, rows], y[:, rows])
        losses.append(loss / window.divisor)
        objectives.append(micro.objective_from(loss, params) / window.divisor)
        gradients.append({name: each / window.divisor for name, each in gradient.items()})
    together = {name: add_in_any_order([each[name] for each in gradients]) / window.world for name in params}
    return sum(losses) / window.world, sum(objectives) / window.world, together


def masked(problem: Problem, mask: Array | None) -> Problem:
    """The problem of a training step, whose model drops units where there is a mask."""
    model: Any = problem.model
    return problem if mask is None else replace(problem, model=model.dropping(mask))
