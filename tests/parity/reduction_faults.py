"""Faults of reductions and of accumulation, planted in ``parity verify --ranks``, with what is said of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from parity.features.verify.case import Case
from tests.parity.faulty_reductions import (
    Change,
    accumulated_in_bfloat16,
    averages_weights,
    bias_ignored,
    buckets,
    divided_thrice,
    divided_twice,
    divides_by_active,
    doubled_rate,
    forgets_zero_grad,
    frozen_decays,
    frozen_moves,
    hooked,
    in_format,
    last_element_forgotten,
    mean_of_means,
    multiplied,
    never_syncs,
    not_reduced,
    not_reduced_but_divided,
    of_rank_1_alone,
    of_the_neighbour,
    other_rate,
    other_start,
    rank_dropped,
    rank_dropped_rest_averaged,
    rank_halved,
    reduced_by_hand,
    resumes_with_doubled_rate,
    rows_summed,
    scaled,
    sent_in_bfloat16,
    stale,
    steps_on_rank_0_alone,
    summed,
    syncs_all_but_the_last,
    zeroed_between,
)
from tests.parity.faulty_shards import (
    replica_shifted,
    resumes_without_state,
    resumes_without_weights,
    shards_in_bfloat16,
    shards_never_sync,
    shards_summed,
    zero_sends_nothing,
)


def case(**changes: Any) -> Case:
    """A case of two ranks, with other words than the usual ones."""
    base = {
        "optimizer": "SGD",
        "options": "momentum+decay",
        "implementation": "ddp",
        "dtype": "float32",
        "device": "cpu",
        "situation": "plain",
        "size": 17,
        "ranks": 2,
    }
    return Case(**{**base, **changes})


@dataclass(frozen=True)
class Fault:
    """``change`` plants it in a ``situation`` of a ``reduction``; ``said``: words of its finding."""

    change: Change
    said: str
    situation: str = "plain"
    dtypes: tuple[str, ...] = ("float32", "bfloat16")
    reduction: str = "ddp"


def low(dtype: torch.dtype) -> Change:
    return hooked(partial(in_format, dtype=dtype))


WIDE = ("float32",)
FAULTS: Mapping[str, Fault] = {
    "sum instead of mean": Fault(hooked(summed), "the gradients are summed, not divided by 2"),
    "divided before and after": Fault(hooked(divided_twice), "divided by 4 instead of 2"),
    "wrong divisor": Fault(hooked(divided_thrice), "divided by 3 instead of 2"),
    "multiplied": Fault(hooked(multiplied), "times 2 instead of divided by 2"),
    "rank dropped": Fault(hooked(rank_dropped), "rank 1 is not counted"),
    "rank dropped, the rest averaged": Fault(
        hooked(rank_dropped_rest_averaged), "rank 0 is not counted, rank 1 counts twice"
    ),
    "rank halved": Fault(hooked(rank_halved), "rank 1 counts half"),
    "rank scaled": Fault(scaled(1, None, 2.0), "rank 1 counts twice"),
    "broadcast instead of reduced": Fault(hooked(of_rank_1_alone), "rank 0 is not counted, rank 1 counts twice"),
    "the neighbour's gradient": Fault(
        hooked(of_the_neighbour),
        "on rank 0: rank 0 is not counted, rank 1 counts twice; on rank 1: rank 1 is not counted",
    ),
    "not reduced": Fault(hooked(not_reduced), "the ranks are not synchronised: each has its own gradient alone"),
    "not reduced, but divided": Fault(hooked(not_reduced_but_divided), "each has its own gradient alone, divided by 2"),
    "bfloat16": Fault(low(torch.bfloat16), "reduced in bfloat16 instead of float32", dtypes=WIDE),
    "float16": Fault(low(torch.float16), "reduced in float16 instead of float32", dtypes=WIDE),
    "float32": Fault(low(torch.float32), "reduced in float32 instead of float64", dtypes=("float64",)),
    "bfloat16 beside float16": Fault(
        low(torch.bfloat16), "reduced in bfloat16 instead of float64", dtypes=("float64",)
    ),
    "sent in bfloat16": Fault(hooked(sent_in_bfloat16), "sent in bfloat16 instead of float32", dtypes=WIDE),
    "accumulated in bfloat16": Fault(
        accumulated_in_bfloat16, "sent in bfloat16 instead of float32", "no-sync", dtypes=WIDE
    ),
    "last element forgotten": Fault(hooked(last_element_forgotten), "the ranks are not synchronised"),
    "stale": Fault(stale, "step 1 is made with the gradient of step 0"),
    "first bucket only": Fault(
        partial(buckets, skipped=range(1, 9)), "the ranks are not synchronised", "small-buckets"
    ),
    "a bucket skipped": Fault(
        partial(buckets, skipped=range(1, 2)), "in v, the ranks are not synchronised", "small-buckets"
    ),
    "bias not reduced": Fault(bias_ignored, "in b, the ranks are not synchronised"),
    "no_sync over the last micro-batch": Fault(
        syncs_all_but_the_last,
        "on rank 0: micro-batch 1 of rank 1 is lost, micro-batch 1 of rank 0 counts twice",
        "no-sync",
    ),
    "no_sync over all micro-batches": Fault(never_syncs, "the ranks are not synchronised", "no-sync"),
    "weights averaged": Fault(averages_weights, "the weights are averaged instead of the gradients"),
    "rank not stepped": Fault(steps_on_rank_0_alone, "the optimizer of rank 1 is not stepped"),
    "another rate": Fault(other_rate, "the ranks' weights differ after step 0"),
    "twice the rate on all ranks": Fault(doubled_rate, "lr is 0.06 in step 0, asked 0.03"),
    "twice the rate after resume": Fault(resumes_with_doubled_rate, "lr is 0.06 in step 2, asked 0.03", "checkpoint"),
    "another start": Fault(other_start, "the ranks begin with other weights"),
    "zero_grad forgotten": Fault(forgets_zero_grad, "the gradient of step 0 is still in that of step 1"),
    "mean of rank means": Fault(mean_of_means, "the means of the ranks are averaged", "rows"),
    "rows summed": Fault(rows_summed, "divided by 2 instead of 4", "rows"),
    "micro-batch lost": Fault(scaled(1, 0, 0.0), "micro-batch 0 of rank 1 is lost", "no-sync"),
    "micro-batch lost on all ranks": Fault(
        zeroed_between, "micro-batch 0 of rank 0 is lost, micro-batch 0 of rank 1 is lost", "no-sync"
    ),
    "micro-batch twice": Fault(
        partial(reduced_by_hand, reduce_each=True),
        "micro-batch 0 of rank 0 counts twice, micro-batch 0 of rank 1 counts twice",
        "no-sync",
    ),
    "reduced before the last micro-batch": Fault(
        partial(reduced_by_hand, reduce_each=False), "on rank 0: micro-batch 1 of rank 1 is lost", "no-sync"
    ),
    "micro-batches averaged": Fault(scaled(None, None, 0.5), "divided by 4 instead of 2", "no-sync"),
    "frozen parameter moves": Fault(frozen_moves, "v has a gradient, which is frozen", "frozen"),
    "frozen parameter decays": Fault(frozen_decays, "v untouched[0] at step 0", "frozen"),
    "joined ranks left out of the divisor": Fault(
        divides_by_active, "the gradients are summed, not divided by 2", "join"
    ),
    "FSDP2 summed": Fault(shards_summed, "the gradients are summed, not divided by 2", reduction="fsdp"),
    "FSDP2 reduces in bfloat16": Fault(
        shards_in_bfloat16, "reduced in bfloat16 instead of float32", dtypes=WIDE, reduction="fsdp"
    ),
    "FSDP2 never syncs": Fault(shards_never_sync, "there is no gradient in step 0", "no-sync", reduction="fsdp"),
    "ZeRO does not send": Fault(zero_sends_nothing, "the ranks' weights differ after step 0", reduction="zero"),
    "replicas of HSDP part": Fault(replica_shifted, "the ranks' weights differ after step 0", reduction="hsdp"),
    "momentum lost at resume": Fault(
        resumes_without_state, "momentum_buffer loaded", "checkpoint", dtypes=WIDE, reduction="fsdp"
    ),
    "weights lost at resume": Fault(
        resumes_without_weights, "w loaded", "checkpoint", dtypes=WIDE, reduction="dtensor"
    ),
}
