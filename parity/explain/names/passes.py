"""The gradient of another pass, such as that of an evaluation, in that of the step: g_k = asked_k + c_k·∇_k."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import Series, multiple, shortest, steps_text
from parity.explain.readings import all_rows
from parity.step.design import Design


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
        yield cause(
            "gradient-of-other-pass",
            partial(replace, also=((other, times),)),
            numbers=int(times.max() != 1),
            steps=steps_text(there, chain.design.epoch),
            count="" if times.max() == 1 else f"{times.max():g} times ",
            words=words,
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
    value, error, its = chain.given.value, chain.given.error, parts.whole
    triples = [(value[name] - asked, its[name], SLACK * error[name]) for name, asked in chain.asked.whole.items()]
    share = multiple(*(np.concatenate(each, axis=1) for each in zip(*triples, strict=True)))
    return None if share is None or share.is_(0.0) else share
