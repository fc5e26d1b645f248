"""What else is in a gradient: what was left of earlier ones that were not set to zero, and that of another pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.catalogue.decays import l2_strength
from parity.explain.cause import Cause, cause
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import Series, multiple, shortest, steps_text
from parity.explain.readings import all_rows
from parity.step.design import Design
from refimpl.types import Array


def causes(chain: Chain) -> Iterator[Cause]:
    """g_k = a_k·asked_k + c_k·g_{k−1}: what was left of the gradient before.

    A decay that the optimizer adds is not left over: it is taken from both sides, and added after the mixing.
    """
    assert chain.given is not None
    parts, asked = [*chain.asked.whole], [*chain.asked.whole.values()]
    decay = [each for each in (chain.asked.penalty, chain.asked.bias) if each is not None]
    own = any(np.any(each) for each in decay) and len(decay) == len(asked)
    for after_mixing in (False, True) if own and np.isfinite(decay[0]).all() else (False,):
        taken = decay if after_mixing else [0 * each for each in asked]
        value = np.concatenate([chain.given.value[n] - d for n, d in zip(parts, taken, strict=True)], axis=1)
        kept = _left_over(
            np.concatenate([a - d for a, d in zip(asked, taken, strict=True)], axis=1),
            value,
            np.concatenate([chain.given.error[name] for name in parts], axis=1),
        )
        if kept is not None:
            yield _accumulated(chain, *kept, after_mixing=after_mixing)
            return


def _left_over(asked: Array, value: Array, error: Array) -> tuple[Array, Series] | None:
    """c_k, those that may be 0 or 1 rounded, and with their bars; None where the gradients are not such sums."""
    steps = len(value)
    a, c, bar = (np.zeros(steps) for _ in range(3))
    for k in range(steps):
        A = np.column_stack([asked[k], *([value[k - 1]] if k else [])])
        inverse = np.linalg.pinv(A)
        solution = inverse @ value[k]
        if np.any(
            np.abs(A @ solution - value[k]) > SLACK * (error[k] + np.abs(A[:, 1:]) @ np.abs(solution[1:]) * 1e-6)
        ):
            return None
        a[k], c[k] = solution[0], solution[1] if k else 0.0
        bar[k] = SLACK * np.max(np.abs(inverse) @ error[k])
    before = Series(c, bar)
    if before.is_(0.0) or not Series(a, bar).is_(1.0):
        return None
    return np.where(np.abs(c - 1) <= bar, 1.0, np.where(np.abs(c) <= bar, 0.0, c)), before


def _accumulated(chain: Chain, c: Array, before: Series, *, after_mixing: bool) -> Cause:
    """The catalogue's name for gradients that are never set to zero, or a description of when they are not."""
    kept = c != 0
    exact = bool(np.all((c == 0) | (c == 1)))
    every = exact and bool(kept[1:].all())
    return cause(
        "gradient-accumulated" if every else "gradient-left-over",
        partial(_mixed, kept=c, after_mixing=after_mixing),
        of="gradient-accumulated" if every else "gradient-left-over" if exact else "gradient-partly-left-over",
        named=exact,
        numbers=0 if exact else int(kept.sum()),
        times=before.text(),
        steps=steps_text(kept, chain.design.epoch),
    )


def _mixed(design: Design, kept: Array, *, after_mixing: bool) -> Design | None:
    """M of g_k = asked_k + c_k·g_{k−1}; the optimizer's decay is added after it."""
    if after_mixing:
        lam = {name: l2_strength(penalty) for name, penalty in design.form.in_gradient.terms}
        coupled = all(getattr(design.form.optimizers[name], "decay", "") == "coupled" for name in lam)
        if not lam or not coupled or not all(lam.values()):
            return None
        for name, strength in lam.items():
            design = design.with_optimizers(partial(replace, weight_decay=strength), name)
        design = design.with_penalties()
    steps = design.steps
    shift = np.diag(kept[1:], k=-1) if steps > 1 else np.zeros((1, 1))
    return replace(design, mixing=np.linalg.inv(np.eye(steps) - shift))


def of_other_passes(chain: Chain) -> Iterator[Cause]:
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
