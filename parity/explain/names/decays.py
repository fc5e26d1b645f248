"""What shrinks the weights beside the step that was asked: ``Δw = s_k·Δw_asked − β_k·w``, measured in every step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.measure.chain import Chain
from parity.explain.measure.series import Series, steps_text
from parity.step.design import Design
from refimpl.types import Array


@dataclass(frozen=True)
class Shrinking:
    """The steps of one parameter: ``scale`` s_k of the asked step, ``share`` β_k of the weights that is lost;
    ``after``: β also shrinks the step just made, s_k = 1 − β_k."""

    parameter: str
    scale: Series
    share: Series
    after: bool


def causes(chain: Chain, seen: Design) -> Iterator[Cause]:
    """Every parameter that shrinks otherwise than asked, together."""
    measured = []
    for name in chain.engine.recording.weights:
        one = measure(chain, seen, name)
        if one is None:
            return
        measured.append(one)
    changed = [one for one in measured if not one.share.is_(0.0)]
    if not changed or any(not one.after and not one.scale.is_(1.0) for one in measured):
        return
    texts, named, numbers = [], True, 0
    values: dict[str, Array] = {}
    for one in changed:
        text, value, few = _said(one, seen)
        values[one.parameter] = value
        texts.append(text)
        named &= few
        numbers += 1 if few else len(value)
    after = {one.parameter for one in changed if one.after}
    yield cause(
        "weights-shrink-after-step" if after else "weights-shrink",
        lambda design: replace(
            design,
            shrink={**design.shrink, **{name: each for name, each in values.items() if name in after}},
            beside={**design.beside, **{name: each for name, each in values.items() if name not in after}},
        ),
        numbers=numbers,
        named=named,
        said="; ".join(texts),
    )


def measure(chain: Chain, seen: Design, name: str) -> Shrinking | None:
    """s_k and β_k of one parameter; None where a step is not made of these two."""
    engine = chain.engine
    recorded = engine.recording.weights[name]
    w = seen.begins.get(name, recorded[:-1]).reshape(seen.steps, -1)
    with np.errstate(all="ignore"):
        predicted = engine.weights([seen])[name][0].reshape(seen.steps, -1)
    moved, asked = engine.candidate(seen, name).reshape(seen.steps, -1) - w, predicted - w
    room = engine.allowances(seen)[name] + np.finfo(float).tiny
    s, s_bar, beta, bar = np.ones(seen.steps), np.zeros(seen.steps), np.zeros(seen.steps), np.zeros(seen.steps)
    alone = w.shape[1] == 1 or not asked.any()
    for k in range(seen.steps):
        A = np.column_stack([w[k]]) if alone else np.column_stack([asked[k], w[k]])
        if not np.isfinite(A).all() or not np.linalg.norm(w[k]):
            return None
        inverse = np.linalg.pinv(A)
        goal = moved[k] - asked[k] if alone else moved[k]
        solution = inverse @ goal
        if np.any(np.abs(A @ solution - goal) > 2 * room[k] + np.abs(A @ inverse) @ room[k]):
            return None
        bars = np.abs(inverse) @ (2 * room[k])
        beta[k], bar[k] = -solution[-1], bars[-1]
        if not alone:
            s[k], s_bar[k] = solution[0], bars[0]
    scale, share = Series(s, s_bar), Series(beta, bar)
    if alone and asked.any() and w.shape[1] == 1:  # one equation a step does not tell after from beside
        return Shrinking(name, scale, share, after=False)
    after = bool(np.all(np.abs(s - (1 - beta)) <= s_bar + bar)) and not share.is_(0.0) and not scale.is_(1.0)
    return Shrinking(name, scale, share, after=after)


def _said(one: Shrinking, seen: Design) -> tuple[str, Array, bool]:
    """The decay in words, the numbers to put in, and whether they are one number."""
    name, share = one.parameter, one.share
    when = " after each step, the step just made included" if one.after else " beside each step"
    idle = not any(seen.rates(name))
    was = ", which was to stay as it is," if idle else ""
    constant = share.constant
    steps = seen.steps
    if constant is not None:
        value = float(f"{constant:.6g}")
        value = value if abs(value - constant) <= np.min(share.error) else constant
        return f"the {name}{was} shrinks by the factor 1 − {value:.6g}{when}", np.full(steps, value), True
    rates = seen.rates("weight")
    by_rate = share.over(rates)
    if (lam := by_rate.constant) is not None and rates.any():
        lam = float(f"{lam:.6g}")
        return f"the {name}{was} shrinks by the factor 1 − η·{lam:g}{when}", lam * rates, True
    off = np.abs(share.value) > share.error
    words = Series(share.value[off], share.error[off]).text()
    text = f"the {name}{was} shrinks by the factor 1 − ({words}) in {steps_text(off, seen.epoch)}"
    return text, np.where(off, share.value, 0.0), Series(share.value[off], share.error[off]).constant is not None
