"""What the rows, the penalty and the bias were given, where the catalogue has no name for it: patterns and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.explain.cause import Cause
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import Series, steps_text
from parity.explain.names import losses, targets, weights
from parity.explain.names.option import Option


def options(chain: Chain, deviating: frozenset[str]) -> Iterator[Option]:
    """Causes of the parts that deviate, named ones before descriptions."""
    if "data" in deviating:
        for file in (losses, targets, weights):
            for cause in file.causes(chain):
                yield Option(cause, frozenset({"data"}))
    if "penalty" in deviating:
        for cause in penalty(chain):
            yield Option(cause, frozenset({"penalty"}))
    if "bias" in deviating:
        for cause in bias(chain):
            yield Option(cause, frozenset({"bias"}))


def penalty(chain: Chain) -> Iterator[Cause]:
    """λ as executed, in each step, of w, of sign(w), of 1, or of the initial weights."""
    rows = chain.rows
    assert rows is not None
    lam = Series(rows.decay, SLACK * rows.decay_error)
    asked = _asked_decay(chain)
    for name, (value, error) in rows.further.items():
        one = Series(value, SLACK * error)
        later = Series(lam.value[1:], lam.error[1:])  # at the first step w − w₀ is 0
        if name == "w₀" and later.constant is not None:
            middle = Series(-value[1:] / rows.decay[1:], SLACK * error[1:] / np.abs(rows.decay[1:]))
            if middle.is_(1.0):
                text = (
                    f"the weights are pulled towards their initial values, with λ = {later.text()}, and not towards 0"
                )
                start = chain.engine.recording.weights["weight"][:1]
                yield Cause(
                    id="penalty-towards-start",
                    text=text,
                    change="penalise w itself, not its distance from where it started",
                    apply=partial(_pulled, lam=later, start=start),
                    numbers=1,
                )
                return
        if not one.is_(0.0):
            return
    numbers = 1 if lam.constant is not None else chain.steps
    changed = ~(np.abs(lam.value - asked) <= lam.error)
    epoch = chain.design.epoch
    text = f"λ as executed is {lam.text()} in {steps_text(changed, epoch)}, asked {asked:g}"
    yield Cause(
        id="penalty-as-measured",
        text=text,
        change="look for what else adds to the gradient, or shrinks the weights, in proportion to them",
        apply=lambda design: replace(design, added={**design.added, "weight": lam.value - asked}),
        numbers=numbers,
        named=lam.constant is not None,
    )


def _pulled(design: Any, lam: Series, start: Any) -> Any:
    """λ(w − w₀) in the place of the penalty: λw, and a constant push −λw₀."""
    from parity.explain.faults.penalties import Centred

    strength = float(f"{lam.constant:.6g}")
    others = tuple(p for p in design.form.in_gradient.penalties if "weight" not in p.parameters)
    return design.with_penalties(*others, Centred(strength=strength, centre=start))


def _asked_decay(chain: Chain) -> float:
    """λ of all L2 penalties on the weight."""
    terms = chain.design.form.in_gradient.terms
    return sum(float(getattr(p, "strength", 0.0)) for name, p in terms if name == "weight" and type(p).__name__ == "L2")


def bias(chain: Chain) -> Iterator[Cause]:
    """What the bias got beside Σδ: a decay, a factor, or numbers."""
    rows = chain.rows
    assert rows is not None and rows.added is not None and rows.added_error is not None
    added = Series(rows.added, SLACK * rows.added_error)
    asked = chain.asked.bias
    beside = Series(added.value - (0.0 if asked is None else asked[:, 0]), added.error)
    b = chain.b
    lam = beside.over(b)
    sums = np.array([d.sum() for d in rows.delta])
    share = beside.over(sums)
    factor = Series(1 + share.value, share.error)
    sizes = np.array([len(some) for some in rows.rows], float)
    same = lam.is_(_asked_decay(chain)) and _asked_decay(chain) > 0  # then the catalogue says it: like the weight
    if not same and (constant := lam.constant) is not None:
        value = float(f"{constant:.6g}")
        yield Cause(
            id="bias-decayed",
            text=f"the bias is decayed with λ = {lam.text()} beside what was asked",
            change="give the bias a parameter group with weight_decay=0, and leave it out of the penalty",
            apply=lambda design: replace(design, added={**design.added, "bias": np.full(design.steps, value)}),
            numbers=1,
        )
    if factor.is_(1 / sizes):
        yield _bias_times(
            1 / sizes,
            "bias-gradient-mean",
            "the bias's gradient is the mean over the batch's rows of δ, not their sum: it is divided by "
            "the number of rows once more",
            0,
        )
    elif (constant := factor.constant) is not None:
        value = float(f"{constant:.6g}")
        yield _bias_times(
            np.full(len(sums), value),
            "bias-gradient-factor",
            f"the bias's gradient is {factor.text()} times what the rows give",
            1,
        )
    yield _bias_times(
        factor.value,
        "bias-gradient-as-measured",
        f"the bias's gradient is {factor.text()} times what the rows give",
        len(sums),
    )


def _bias_times(times: Any, id: str, text: str, numbers: int) -> Cause:
    return Cause(
        id=id,
        text=text,
        change="look at how the gradient of the bias is made: it is Σδ over the rows of the batch",
        apply=lambda design: replace(design, scale={**design.scale, "bias": np.asarray(times)}),
        numbers=numbers,
        named=numbers <= 1,
    )
