"""The links of a run as they were measured, a line each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import Series, number, steps_text

SOURCES = {
    "backward": "recorded after the backward pass",
    "optimizer": "recorded as the optimizer saw it",
    "weights": "solved from the steps, taking the update to be as asked",
}


@dataclass(frozen=True)
class Link:
    """``name`` of a link of the step, what was measured of it, and whether it is as asked; None: it is not known."""

    name: str
    text: str
    as_asked: bool | None


COARSE = 0.01
"""Relative error bar of a measured number from which on the bar is said."""
HIDDEN = "cannot be told: rounding errors may be as large"
STATES = {True: "as asked", False: "not as asked", None: "as asked, as far as rounding errors tell"}
FAR = {True: "", None: ", as far as rounding errors tell"}


def _as_asked(chain: Chain, *parts: str) -> bool | None:
    """None where a part is off by more than its error bar, and not by so much that it surely is another."""
    if all(chain.same(part, chain.asked, slack=1.0) for part in parts):
        return True
    return None if all(chain.as_asked(part) for part in parts) else False


def summary(chain: Chain) -> tuple[Link, ...]:
    """The links that can be measured of this record; nothing where no gradients are known."""
    return tuple(_links(chain))


def _links(chain: Chain) -> Iterator[Link]:
    if chain.given is None:
        kind = type(chain.design.form.optimizers["weight"]).__name__
        text = f"not recorded, and the steps of {kind} do not give it back: rows, loss and penalty are not measured"
        yield Link("gradient", text, None)
        return
    whole = _as_asked(chain, "weight", "total_bias")
    yield Link("gradient", f"{STATES[whole]} ({SOURCES[chain.given.source]})", whole)
    yield from _calls(chain)
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


def _calls(chain: Chain) -> Iterator[Link]:
    """How often the optimizer was called, where that is not once in every step."""
    observed = chain.observed
    for name, counts in ({} if observed is None else observed.calls).items():
        if len(counts) == chain.steps and (counts > 1).any():
            most = steps_text(counts > 1, chain.design.epoch)
            yield Link("calls", f"optimizer.step() moves the {name} {int(counts.max())} times in {most}", None)


def _counted(chain: Chain) -> Link:
    """δ ÷ the asked δ."""
    whole = _as_asked(chain, "data")
    q, bars = chain.counts
    if whole is not False:
        known = float(np.median(np.concatenate(bars)))
        if known >= 1:
            return Link("rows", HIDDEN, None)
        whole = whole if known < COARSE else None
        room = f": ± {100 * known:.1g} %" if whole is None else ""
        return Link("rows", f"each row counts as asked{FAR[whole]}{room}", whole)
    if chain.alike is not None:
        return Link("rows", f"all rows of a step count alike, {chain.alike.text()} times what was asked", False)
    off = [bool(np.any(np.abs(each - 1) > bar)) for each, bar in zip(q, bars, strict=True)]
    step = off.index(True) if any(off) else 0
    first = ", ".join(
        number(float(each), float(max(bar, 1e-6 * abs(each))))
        for each, bar in zip(q[step][:8], bars[step][:8], strict=True)
    )
    return Link("rows", f"they count {first} times what was asked, in step {step}", False)


def _penalty(chain: Chain) -> Link:
    """λ of the weight, as executed."""
    rows = chain.rows
    assert rows is not None
    own = [p for name, p in chain.design.form.in_gradient.terms if name == "weight"]
    asked = f", asked {', '.join(_strength(p) for p in own)}" if own else ""
    whole = _as_asked(chain, "penalty")
    if whole is not False:
        with np.errstate(all="ignore"):
            sizes = (np.linalg.norm(each, axis=1) for each in (SLACK * chain.bars.penalty, chain.asked.penalty))
            known = float(np.median(np.divide(*sizes))) if own else 0.0
        if known >= 1:
            return Link("penalty", HIDDEN, None)
        whole = whole if known < COARSE else None
        said = f"as asked{asked.replace(', asked', ':')}" if own else "none, as asked"
        return Link("penalty", said + FAR[whole], whole)
    lam = Series(rows.decay, SLACK * rows.decay_error)
    beside = [f"{number(float(v[0]), float(e[0]))}·{name}" for name, (v, e) in rows.further.items()]
    more = f", and in the first step {' + '.join(beside)}" if beside else ""
    return Link("penalty", f"λ = {lam.text()}{more}{asked}", False)


def _strength(penalty: object) -> str:
    value = getattr(penalty, "strength", None)
    return f"{type(penalty).__name__} with λ = {value:g}" if isinstance(value, float | int) else repr(penalty)


def _bias(chain: Chain) -> Link:
    """The link of the bias: what it got beside Σδ."""
    whole = _as_asked(chain, "bias")
    if whole is not False:
        return Link("bias", f"gets Σδ of the rows, as asked{FAR[whole]}", whole)
    rows = chain.rows
    assert rows is not None and rows.added is not None and rows.added_error is not None
    added = Series(rows.added, SLACK * rows.added_error)
    asked = np.zeros(chain.steps) if chain.asked.bias is None else chain.asked.bias[:, 0]
    off = np.abs(added.value - asked) > added.error
    its = f", asked {Series(asked[off], 1e-6 * np.abs(asked[off])).text()}" if np.any(asked[off]) else ""
    got = Series(added.value[off], added.error[off]).text() if off.any() else added.text()
    return Link("bias", f"gets {got} beside Σδ in {steps_text(off, chain.design.epoch)}{its}", False)
