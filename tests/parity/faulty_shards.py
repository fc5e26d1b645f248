"""Faulty trainings of parameters that are divided over ranks, and faulty resumes, for ``parity verify --ranks``."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from tests.parity.faulty_reductions import micro_batches, other_rate, times


def halves(training: Any, names: Sequence[str]) -> None:
    """Some weights are halved after each step."""

    def step() -> None:
        training.optimizer.step()
        for name in names:
            training.model.get_parameter(name).data.mul_(0.5)

    training.step = step


halves_weights = partial(halves, names=("w", "v", "b"))
halves_v = partial(halves, names=("v",))


def shards_summed(training: Any) -> None:
    """The sum over ranks is multiplied, so that no mean is left."""
    micro_batches(training, partial(times, None, None, 2.0))


def shards_in_bfloat16(training: Any) -> None:
    """The mixed precision of another run."""
    training.options = {"reduce_dtype": "bfloat16"}
    training.make(1.0)


def shards_never_sync(training: Any) -> None:
    """The gradients of all micro-batches stay on their ranks, and the step has none."""
    training.wrapped.set_requires_gradient_sync(False)
    training.syncing = lambda _: contextlib.nullcontext()


def zero_sends_nothing(training: Any) -> None:
    """Each rank steps its own parameters, and no other rank hears of it."""
    training.step = training.optimizer.optim.step


def replica_shifted(training: Any) -> None:
    """The replicas have other rates."""
    other_rate(training)


def resumes_without_state(training: Any) -> None:
    """The optimizer begins anew where all is loaded."""

    def reload() -> None:
        for state in training.optimizer.state.values():
            state["momentum_buffer"].zero_()

    training.reload = reload


def resumes_without_weights(training: Any) -> None:
    """The weights are not loaded."""

    def reload() -> None:
        for parameter in training.model.parameters():
            parameter.data.mul_(3.0)

    training.reload = reload
