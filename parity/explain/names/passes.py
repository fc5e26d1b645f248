"""The gradient of another pass, such as that of an evaluation, in that of the step: g_k = asked_k + c_k·∇_k."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.cause import Cause
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.laws import shortest
from parity.explain.measure.series import Series, steps_text
from parity.explain.readings import all_rows
from parity.step.design import Design
from refimpl.types import Array


def causes(chain: Chain) -> Iterator[Cause]:
    """The passes of which the measured gradient has a constant share in some steps, and none in the others."""
    plain = chain.design.with_penalties()
    whole = f"all {len(chain.y)} rows"
    for words, other in (
        (f"the loss of {whole}", all_rows(plain)),
        (f"the objective of {whole}, with its penalty,", all_rows(chain.design)),
        (f"the loss of {whole}, batch after batch,", _batch_after_batch(plain)),
    ):
        share = _share(chain, other)
        if share is None:
            continue
        there = np.abs(share.value) > share.error
        constant = Series(share.value[there], share.error[there]).constant
        if constant is None:
            continue
        bar = float(np.min(share.error[there]))
        times = np.where(there, shortest(constant - bar, constant + bar), 0.0)
        count = "" if times.max() == 1 else f"{times.max():g} times "
        where = steps_text(there, chain.design.epoch)
        yield Cause(
            id="gradient-of-other-pass",
            text=f"in {where} the gradient holds, beside that of the batch, {count}that of {words} at the same "
            "weights: a backward pass of an evaluation or a log, whose gradient was not set to zero",
            change="call zero_grad() after a backward() that is not for the step, or take it with torch.autograd.grad",
            apply=partial(replace, also=((other, times),)),
            numbers=int(times.max() != 1),
        )


def _batch_after_batch(design: Design) -> Design:
    """All rows in every step, each with the weight that it has in the mean of its batch."""
    whole, n = all_rows(design), len(design.rows)
    weights = np.zeros(design.material.dataset.X.shape[1])
    for rows in design.material.order[0]:
        weights[rows] = len(weights) / len(rows)
    return replace(whole, row_times=tuple(weights for _ in range(n)))


def _share(chain: Chain, other: Design) -> Series | None:
    """c_k with its bar; None where the rest of the gradient is not that of another pass."""
    parts = chain.parts(other)
    if parts is None or chain.given is None:
        return None
    value, error = chain.given.value, chain.given.error
    of = {"weight": (chain.asked.weight, parts.weight), "bias": (chain.asked.total_bias, parts.total_bias)}
    pairs = [(value[name] - asked, its, error[name]) for name, (asked, its) in of.items() if name in value]
    rest, its, bar = (np.concatenate([*each], axis=1) for each in zip(*pairs, strict=True))
    square = np.sum(its**2, axis=1)
    if np.any(square == 0):
        return None
    c = np.sum(rest * its, axis=1) / square
    room: Array = SLACK * np.sum(np.abs(its) * bar, axis=1) / square
    off = np.abs(rest - c[:, None] * its) > SLACK * bar + np.abs(its) * room[:, None]
    share = Series(c, room)
    return None if off.any() or share.is_(0.0) else share
