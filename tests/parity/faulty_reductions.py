"""Reductions and accumulations with a fault, for ``parity verify --ranks``.

A change is done to a training on each rank before its first step: a communication hook, or another method.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from parity.features.verify.ranks.training import Given, Training

Change = Callable[[Training], None]


# -- communication hooks --------------------------------------------------------------------------------------------


def total(buffer: Tensor) -> Tensor:
    """The sum over the ranks."""
    dist.all_reduce(buffer)
    return buffer


def hooked(reduce: Callable[[Tensor], Tensor]) -> Change:
    """A training whose buckets are reduced so."""
    return partial(register, reduce)


def register(reduce: Callable[[Tensor], Tensor], training: Any) -> None:
    """Register a hook that reduces at once."""

    def hook(state, bucket):  # type: ignore[no-untyped-def]  # torch compares annotations with its own
        del state
        future: torch.futures.Future[Tensor] = torch.futures.Future()
        future.set_result(reduce(bucket.buffer()))
        return future

    training.wrapped.register_comm_hook(None, hook)


def summed(buffer: Tensor) -> Tensor:
    return total(buffer)


def divided_twice(buffer: Tensor) -> Tensor:
    return total(buffer / 2) / 2


def divided_thrice(buffer: Tensor) -> Tensor:
    return total(buffer) / 3


def multiplied(buffer: Tensor) -> Tensor:
    return total(buffer) * 2


def rank_dropped(buffer: Tensor) -> Tensor:
    return total(buffer * (dist.get_rank() == 0)) / dist.get_world_size()


def rank_dropped_rest_averaged(buffer: Tensor) -> Tensor:
    return total(buffer * (dist.get_rank() == 1))


def rank_halved(buffer: Tensor) -> Tensor:
    return total(buffer / (1 + dist.get_rank())) / 2


def of_rank_1_alone(buffer: Tensor) -> Tensor:
    dist.broadcast(buffer, 1)
    return buffer


def of_the_neighbour(buffer: Tensor) -> Tensor:
    return total(buffer.clone()) - buffer


def not_reduced(buffer: Tensor) -> Tensor:
    return buffer


def not_reduced_but_divided(buffer: Tensor) -> Tensor:
    return buffer / 2


def in_format(buffer: Tensor, dtype: torch.dtype) -> Tensor:
    return (total(buffer.to(dtype)) / 2).to(buffer.dtype)


def sent_in_bfloat16(buffer: Tensor) -> Tensor:
    return total(buffer.bfloat16().to(buffer.dtype)) / 2


def last_element_forgotten(buffer: Tensor) -> Tensor:
    own = buffer.clone()
    result = total(buffer) / dist.get_world_size()
    result[-1] = own[-1]
    return result


def stale(training: Any) -> None:
    """The buckets of a step are those of the step before it."""
    kept: list[Tensor] = []

    def reduce(buffer: Tensor) -> Tensor:
        kept.append((total(buffer.clone()) / dist.get_world_size()).clone())
        return kept[max(0, len(kept) - 2)].clone()

    register(reduce, training)


def buckets(training: Any, skipped: range) -> None:
    """Only some buckets are reduced."""

    def hook(state, bucket):  # type: ignore[no-untyped-def]  # torch compares annotations with its own
        del state
        future: torch.futures.Future[Tensor] = torch.futures.Future()
        buffer = bucket.buffer()
        everywhere = total(buffer.clone()) / 2
        future.set_result(buffer if bucket.index() in skipped else everywhere)
        return future

    training.wrapped.register_comm_hook(None, hook)


# -- the step -------------------------------------------------------------------------------------------------------


def bias_ignored(training: Any) -> None:
    """DDP is told to ignore the bias, whose name it makes of that of a module, here "", and a point."""
    training.model = Given({name: training.tensor(values) for name, values in training.plan.start.items()})
    DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(training.model, [".b"])
    training.wrapped, training.optimizer = DistributedDataParallel(training.model), training.make_optimizer()


def syncs_all_but_the_last(training: Any) -> None:
    """``no_sync`` is over the last micro-batch."""
    training.syncing = lambda last: training.wrapped.no_sync() if last else contextlib.nullcontext()


def never_syncs(training: Any) -> None:
    """``no_sync`` is over all micro-batches."""
    training.syncing = lambda _: training.wrapped.no_sync()


def averages_weights(training: Any) -> None:
    """Each rank makes the step on its own gradient, and the weights are averaged after it."""
    never_syncs(training)

    def step() -> None:
        training.optimizer.step()
        for parameter in training.model.parameters():
            parameter.data = total(parameter.data) / 2

    training.step = step


def steps_on_rank_0_alone(training: Any) -> None:
    """The optimizer of the other rank is not stepped."""
    if training.rank:
        training.step = lambda: None


def other_rate(training: Any) -> None:
    """The rate of the other rank is another one."""
    for group in training.optimizer.param_groups:
        group["lr"] *= 1 + training.rank


def doubled_rate(training: Any) -> None:
    """The rate of all ranks is twice what is asked."""
    for group in training.optimizer.param_groups:
        group["lr"] *= 2


def resumes_with_doubled_rate(training: Any) -> None:
    """What is loaded has twice the rate."""
    reload = training.reload

    def reload_and_double() -> None:
        reload()
        doubled_rate(training)

    training.reload = reload_and_double


def other_start(training: Any) -> None:
    """The other rank begins with weights of its own."""
    if training.rank:
        training.model.w.data.mul_(2)


def forgets_zero_grad(training: Any) -> None:
    """Gradients are never set to zero."""
    training.optimizer.zero_grad = lambda: None


def mean_of_means(training: Any) -> None:
    """Each rank takes the mean over its own rows."""
    training.scale = lambda rows: 1 / rows[training.rank]


def rows_summed(training: Any) -> None:
    """Each rank takes the sum over its own rows."""
    training.scale = lambda _: 1.0


def micro_batches(training: Any, change: Callable[[int, int, Mapping[str, Tensor]], Mapping[str, Tensor]]) -> None:
    """Each micro-batch's gradient is changed by rank and number."""
    plain = training.accumulate

    def accumulate(own: Sequence[Mapping[str, Tensor]]) -> None:
        plain([change(training.rank, j, some) for j, some in enumerate(own)])

    training.accumulate = accumulate


def scaled(rank: int | None, micro: int | None, factor: float) -> Change:
    """One micro-batch's gradient, or that of all, is multiplied."""
    return partial(micro_batches, change=partial(times, rank, micro, factor))


def times(
    rank: int | None, micro: int | None, factor: float, own: int, j: int, some: Mapping[str, Tensor]
) -> Mapping[str, Tensor]:
    meant = rank in (None, own) and micro in (None, j)
    return {name: g * factor if meant else g for name, g in some.items()}


def zeroed_between(training: Any) -> None:
    """Gradients are set to zero before each micro-batch."""
    plain = training.micro_batch

    def micro_batch(gradients: Mapping[str, Tensor], last: bool) -> None:
        training.optimizer.zero_grad()
        plain(gradients, last)

    training.micro_batch = micro_batch


def reduced_by_hand(training: Any, reduce_each: bool) -> None:
    """Without DDP's reduction: the sum after each micro-batch, or only before the last one; in the end ÷ ranks."""
    never_syncs(training)
    plain = training.micro_batch

    def reduce() -> None:
        for parameter in training.model.parameters():
            total(parameter.grad)

    def micro_batch(gradients: Mapping[str, Tensor], last: bool) -> None:
        if not reduce_each and last:
            reduce()
        plain(gradients, last)
        if reduce_each:
            reduce()
        if last:
            for parameter in training.model.parameters():
                parameter.grad /= 2

    training.micro_batch = micro_batch


def frozen_moves(training: Any) -> None:
    """A frozen parameter is trained."""
    training.model.v.requires_grad_(True)
    plain = training.accumulate

    def accumulate(own: Sequence[Mapping[str, Tensor]]) -> None:
        plain(own)
        training.model.v.grad = torch.ones_like(training.model.v)

    training.accumulate = accumulate


def frozen_decays(training: Any) -> None:
    """The step moves a frozen parameter, though it has no gradient."""

    def step() -> None:
        training.optimizer.step()
        training.model.v.data.mul_(0.5)

    training.step = step


def accumulated_in_bfloat16(training: Any) -> None:
    """A rank's own gradient is kept in bfloat16 before it is reduced."""

    def change(rank: int, j: int, some: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        del rank, j
        return {name: g.bfloat16().to(g.dtype) for name, g in some.items()}

    micro_batches(training, change)


def divides_by_active(training: Any) -> None:
    """``Join`` divides by the ranks that still have batches."""
    training.options = {"divide_by_initial_world_size": False}
