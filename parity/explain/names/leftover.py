"""Gradients that were not set to zero: what was left of earlier ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.catalogue.decays import l2_strength
from parity.explain.cause import Cause, cause
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import Series, steps_text
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
