"""What was added to the rows' part of the weight's gradient: λ as executed in each step, and other functions of w."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.faults.penalties import Hard, absolute_sum, centred, largest, power, smoothed, unsquared
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import Series, laws, multiple, shortest, steps_text
from parity.step.design import Design
from refimpl.penalties import L1
from refimpl.types import Array


def causes(chain: Chain) -> Iterator[Cause]:
    """λ as executed, in each step, of w, of sign(w), of 1, or of the initial weights."""
    rows = chain.rows
    assert rows is not None
    lam = Series(rows.decay, SLACK * rows.decay_error)
    for name, (value, error) in rows.further.items():
        beside = Series(value, SLACK * error)
        if name == "w₀":
            yield from _towards_start(chain, lam, beside)
        if name == "1":
            yield from _of_sum(chain, lam, beside)
        if name == "sign w":
            yield from _of_signs(chain, beside)
        if not beside.is_(0.0):
            return
    yield from _of_weights(chain, lam)


def _of_signs(chain: Chain, strength: Series) -> Iterator[Cause]:
    """λ₁ as executed in each step, where L1 alone was asked."""
    penalties = [penalty for name, penalty in chain.design.form.in_gradient.terms if name == "weight"]
    if len(penalties) != 1 or not isinstance(penalties[0], L1) or strength.is_(float(penalties[0].strength)):
        return
    asked = float(penalties[0].strength)
    zero = np.abs(strength.value) <= strength.error
    some = Series(strength.value[~zero], strength.error[~zero])
    value = None if zero.all() else some.constant
    if value is not None:
        value = float(f"{value:.6g}")
    executed = np.where(zero, 0.0, strength.value if value is None else value)
    in_steps = f" in {steps_text(~zero, chain.design.epoch)} and 0 in the others" if zero.any() else " in every step"
    yield cause(
        "penalty-l1-as-measured",
        partial(Design.with_penalty_times, times=executed / asked),
        numbers=1 if value is not None else chain.steps,
        named=value is not None,
        strength=some.text() + in_steps,
        asked=asked,
    )


def _of_weights(chain: Chain, lam: Series) -> Iterator[Cause]:
    """λ_k as a number, as a function of what else is known of the step, or as it was measured."""
    asked, epoch = asked_decay(chain), chain.design.epoch
    for law in laws(lam, _features(chain)):
        yield cause("penalty-of-step", _adding(law.made - asked), numbers=1, lam=law.words, asked=asked)
    yield cause(
        "penalty-as-measured",
        _adding(lam.value - asked),
        numbers=1 if lam.constant is not None else chain.steps,
        named=lam.constant is not None,
        lam=lam.text(),
        steps=steps_text(~(np.abs(lam.value - asked) <= lam.error), epoch),
        asked=asked,
        hint=": the factor λ before the penalty is lost" if asked and lam.is_(1.0) else "",
    )


def _features(chain: Chain) -> dict[str, Array]:
    """List the quantities of which λ_k may be a function."""
    sizes = np.array([len(some) for some in chain.design.rows])
    epoch = chain.design.epoch
    made = {"e, the number of the epoch from 1 on": epoch + 1.0}
    made["t, the number of the step from 1 on"] = np.arange(1.0, chain.steps + 1)
    parts: dict[tuple[int, ...], list[int]] = {}
    for m in range(1, int(sizes.max())):
        parts.setdefault(tuple(-(-sizes // m)), []).append(m)
    for counts, of in parts.items():
        rows_of = " or ".join(map(str, of))
        made[f"m, the number of micro-batches of {rows_of} rows that the batch may be cut into"] = np.array(
            counts, float
        )
    made["n, the rows of the batch"] = sizes.astype(float)
    made["‖w‖"] = np.linalg.norm(chain.w, axis=1)
    made["η"] = chain.design.rates("weight")
    made["the mean of what the rows of the batch count"] = np.array([np.mean(q) for q in chain.counts[0]])
    return made


def _adding(values: Array) -> Callable[[Design], Design]:
    """So many times the weights are added to their gradient in each step."""
    return lambda design: replace(design, added={**design.added, "weight": values})


def _towards_start(chain: Chain, lam: Series, beside: Series) -> Iterator[Cause]:
    """λ(w − w₀). At the first step it is 0."""
    later = Series(lam.value[1:], lam.error[1:])
    middle = Series(-beside.value[1:] / lam.value[1:], beside.error[1:] / np.abs(lam.value[1:]))
    if later.constant is not None and middle.is_(1.0):
        start = chain.engine.recording.weights["weight"][:1]
        pull = centred(float(f"{later.constant:.6g}"), start)
        yield cause("penalty-towards-start", partial(_instead, penalty=pull), numbers=1, lam=later.text())


def _of_sum(chain: Chain, lam: Series, beside: Series) -> Iterator[Cause]:
    """λ·sign(Σw), the same for every element."""
    signs = np.sign(chain.w.sum(axis=1))
    strength = beside.over(signs).constant
    if lam.is_(0.0) and strength is not None:
        value = float(f"{strength:.6g}")
        yield cause("penalty-absolute-sum", partial(_instead, penalty=absolute_sum(value)), value=value)


def elementwise(chain: Chain) -> Iterator[Cause]:
    """A function of each weight, where the rows give what was asked: ``c·|w|^p·sign w``, or ``λ·w/√(w² + ε)``."""
    if chain.given is None or not np.isfinite(chain.asked.data).all():
        return
    w, p = chain.w, chain.given.value["weight"] - chain.asked.data
    bar = SLACK * chain.given.error["weight"]
    top = (np.arange(chain.steps), np.argmax(np.abs(w), axis=1))
    strength = Series(p[top] * np.sign(w[top]), bar[top]).constant
    if strength and np.sum(np.abs(p) > bar) <= chain.steps:
        value = shortest(strength - float(np.min(bar[top])), strength + float(np.min(bar[top])))
        yield cause("penalty-of-largest", partial(_instead, penalty=largest(value)), numbers=1, value=value)
    some = (w != 0) & (np.abs(p) > bar)
    if not some.any() or np.any(np.sign(p[some]) != np.sign(w[some])):
        return
    length = np.linalg.norm(w, axis=1, keepdims=True)
    norm = multiple(p, w / length, bar) if length.all() else None
    if norm is not None and norm.constant:
        value = shortest(float(np.max(norm.value - norm.error)), float(np.min(norm.value + norm.error)))
        yield cause("penalty-norm", partial(_instead, penalty=unsquared(strength=value)), numbers=1, value=value)
    size, slope = np.abs(w)[some], Series(np.abs(p)[some], bar[some])
    penalties: list[tuple[str, Any, str]] = []
    for law in laws(slope, {"|w|": size}):
        if law.form == "power" and law.power != 1:  # else it is λ·w
            penalties.append(("penalty-of-power", power(law.c, law.power), f"{law.words}·sign w"))
    terms = chain.design.form.in_gradient.terms
    lam = max((float(getattr(q, "strength", 0.0)) for name, q in terms if name == "weight"), default=0.0)
    if np.all(slope.value + slope.error < lam):
        high, low = (size**2 * (lam**2 / (slope.value + sign * slope.error) ** 2 - 1) for sign in (-1, 1))
        if np.max(low) <= np.min(high):
            eps = shortest(float(np.max(low)), float(np.min(high)))
            words = f"λ·w/√(w² + {eps:g}), that of the smoothed λ·Σ√(w² + {eps:g})"
            penalties.append(("penalty-smoothed", smoothed(lam, eps), words))
    for id, penalty, words in penalties:
        yield cause(id, partial(_instead, penalty=penalty), numbers=1, words=words)


def _instead(design: Design, penalty: Any) -> Design:
    """A penalty of the weight in the place of those that were asked."""
    others = tuple(p for p in design.form.in_gradient.penalties if "weight" not in p.parameters)
    return design.with_penalties(*others, penalty)


def asked_decay(chain: Chain) -> float:
    """λ of all L2 penalties on the weight."""
    terms = chain.design.form.in_gradient.terms
    return sum(float(getattr(p, "strength", 0.0)) for name, p in terms if name == "weight" and type(p).__name__ == "L2")


def proximal(design: Design) -> Iterator[Cause]:
    """None at all, or a hard threshold, where the optimizer has one of L1."""
    if any(isinstance(getattr(each, "penalty", None), L1) for each in design.form.optimizers.values()):
        for id in ("prox-missing", "prox-hard"):
            yield cause(id, partial(Design.with_optimizers, change=partial(_with_step, hard=id == "prox-hard")))


def _with_step(optimizer: Any, hard: bool) -> Any:
    """The optimizer without its proximal step, or with a hard one."""
    penalty = getattr(optimizer, "penalty", None)
    if not isinstance(penalty, L1):
        return optimizer
    return replace(optimizer, penalty=Hard(strength=penalty.strength) if hard else None)
