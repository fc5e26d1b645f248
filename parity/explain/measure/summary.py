"""What was measured of a run, link by link, in a line each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from parity.explain.formula import number
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import Series, steps_text

SOURCES = {
    "backward": "recorded after the backward pass",
    "optimizer": "recorded as the optimizer saw it",
    "weights": "solved from the steps, taking the update to be as asked",
}


@dataclass(frozen=True)
class Link:
    """``name`` of a link of the step, what was measured of it, and whether it is as asked; None where it is not known."""

    name: str
    text: str
    as_asked: bool | None


def summary(chain: Chain) -> tuple[Link, ...]:
    """The links that can be measured of this record; nothing where no gradients are known."""
    return tuple(_links(chain))


def _links(chain: Chain) -> Iterator[Link]:
    if chain.given is None:
        kind = type(chain.design.form.optimizers["weight"]).__name__
        text = f"not recorded, and the steps of {kind} do not give it back: rows, loss and penalty are not measured"
        yield Link("gradient", text, None)
        return
    whole = chain.as_asked("weight", 1.0) and chain.as_asked("total_bias", 1.0)
    text = SOURCES[chain.given.source]
    yield Link("gradient", f"{'as asked' if whole else 'not as asked'} ({text})", whole)
    rows = chain.rows
    if rows is None:
        most = max(len(some) for some in chain.design.rows)
        text = f"not measured: {chain.X.shape[1]} features do not tell {most} rows and the penalty apart"
        yield Link("rows", text, None)
        return
    if not rows.explained:
        yield Link("rows", "the gradient is no combination of the batch's rows and the weights", False)
        return
    yield _counted(chain)
    yield _penalty(chain)
    if rows.added is not None:
        yield _bias(chain)


def _counted(chain: Chain) -> Link:
    """δ ÷ the asked δ."""
    if chain.as_asked("data", 1.0):
        return Link("rows", "each row counts as asked", True)
    rows = chain.rows
    assert rows is not None
    with np.errstate(all="ignore"):
        q = [d / a for d, a in zip(rows.delta, chain.delta, strict=True)]
    low = np.array([np.min(each) for each in q])
    high = np.array([np.max(each) for each in q])
    if np.all(high - low <= 1e-3 * np.abs(high)):
        times = Series((low + high) / 2, (high - low) / 2 + 1e-6 * np.abs(high))
        return Link("rows", f"all rows of a step count alike, {times.text()} times what was asked", False)
    first = ", ".join(f"{each:.3g}" for each in q[0][:8])
    return Link("rows", f"they count {first} times what was asked (first step)", False)


def _penalty(chain: Chain) -> Link:
    """λ of the weight, as executed."""
    rows = chain.rows
    assert rows is not None
    own = [p for name, p in chain.design.form.in_gradient.terms if name == "weight"]
    asked = f", asked {', '.join(_strength(p) for p in own)}" if own else ""
    if chain.as_asked("penalty", 1.0):
        return Link("penalty", f"as asked{asked.replace(', asked', ':')}" if own else "none, as asked", True)
    lam = Series(rows.decay, SLACK * rows.decay_error)
    beside = [f"{number(float(v[0]), float(e[0]))}·{name}" for name, (v, e) in rows.further.items()]
    more = f", and in the first step {' + '.join(beside)}" if beside else ""
    return Link("penalty", f"λ = {lam.text()}{more}{asked}", False)


def _strength(penalty: object) -> str:
    value = getattr(penalty, "strength", None)
    return f"{type(penalty).__name__} with λ = {value:g}" if isinstance(value, float | int) else repr(penalty)


def _bias(chain: Chain) -> Link:
    """What the bias got beside Σδ."""
    if chain.as_asked("bias", 1.0):
        return Link("bias", "gets Σδ of the rows, as asked", True)
    rows = chain.rows
    assert rows is not None and rows.added is not None and rows.added_error is not None
    added = Series(rows.added, SLACK * rows.added_error)
    off = np.abs(added.value) > added.error
    return Link("bias", f"gets {added.text()} beside Σδ, in {steps_text(off, chain.design.epoch)}", False)
