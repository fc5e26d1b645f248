"""Gradients that were taken elsewhere: at other weights, on other rows, of other inputs, or added to earlier ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np

from parity.explain.catalogue import NAMES
from parity.explain.catalogue.name import l2_strength
from parity.explain.cause import Cause, cause_of
from parity.explain.faults.twists import Centralised, Masked
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import Series, listed, steps_text
from parity.explain.pattern import which
from parity.step.design import Design
from refimpl.arithmetic.formats import FORMATS, Format
from refimpl.batches import Order
from refimpl.types import Array

EPSILONS = (0.0, 1e-12, 1e-8, 1e-6)
"""What people add to a norm that they divide by."""


def causes(chain: Chain) -> Iterator[Cause]:
    """Every such cause whose gradient is the measured one."""
    for file in (_stale_weights, _perturbed, _earlier, _centred_batches, _centralised, _masked, _narrow, _other_rows):
        yield from file(chain)
    if chain.given is not None and chain.given.source != "weights":
        yield _as_recorded(chain)


ROWS = (
    "batches-not-shuffled",
    "batches-shuffled-once",
    "gradient-previous-batch",
    "full-batch-every-step",
    "features-centred",
    "features-standardised",
    "features-in-unit-range",
)
"""Names of other rows, or other inputs, in the batches."""


def bases(chain: Chain) -> Iterator[Cause]:
    """Other rows and inputs that may be in the batches, beside which more may differ."""
    for id in ROWS:
        yield from (cause_of(NAMES[id], value) for value in NAMES[id].values)
    yield from _centred_batches(chain, unproven=True)
    yield from _other_rows(chain, unproven=True)


def _holds(chain: Chain, cause: Cause) -> bool:
    design = cause.to(chain.design)
    parts = chain.parts(design) if design is not None and design.consistent else None
    return parts is not None and chain.same("weight", parts) and chain.same("total_bias", parts)


def _stale_weights(chain: Chain) -> Iterator[Cause]:
    """∇J(w_{k−1}), or ∇J(w₀)."""
    weights = chain.engine.recording.weights
    steps = chain.steps
    for id, words, at in (
        ("gradient-at-weights-before", "the weights before the last step", np.maximum(np.arange(steps) - 1, 0)),
        ("gradient-at-first-weights", "the initial weights, at every step", np.zeros(steps, int)),
        ("gradient-at-weights-of-epoch", "the weights of the epoch's start", _begins(chain.design)),
    ):
        cause = Cause(
            id=id,
            text=f"the gradient is taken at {words}, and applied to those of now",
            change="compute the loss with the weights that the step will change",
            apply=partial(replace, at={name: values[at] for name, values in weights.items()}),
        )
        if _holds(chain, cause):
            yield cause


def _begins(design: Design) -> Array:
    """The first step of each step's epoch."""
    first = np.searchsorted(design.epoch, design.epoch)
    return np.asarray(first)


def _perturbed(chain: Chain) -> Iterator[Cause]:
    """SAM: ∇J(w + ρ·g/‖g‖). With squares it is affine in ρ, so that ρ is read off."""
    assert chain.given is not None
    recording = chain.engine.recording
    asked = {"weight": chain.asked.weight, "bias": chain.asked.total_bias}
    gradients = {name: each for name, each in asked.items() if each is not None}
    length = np.sqrt(sum(np.sum(each**2, axis=1) for each in gradients.values()))
    if np.any(length == 0):
        return

    def moved(design: Design, rho: float, eps: float) -> Design:
        at = {}
        for name, each in gradients.items():
            step = rho * each / (length[:, None] + eps)
            at[name] = recording.weights[name][:-1] + step.reshape(recording.weights[name][1:].shape)
        return replace(design, at=at)

    ahead = chain.parts(moved(chain.design, 1.0, 0.0))
    if ahead is None:
        return
    slope = ahead.weight - chain.asked.weight
    square = np.sum(slope**2)
    rho = float(np.sum((chain.given.value["weight"] - chain.asked.weight) * slope) / square) if square else 0.0
    rho = float(f"{rho:.3g}")
    for eps in EPSILONS if rho else ():
        cause = Cause(
            id="gradient-sharpness-aware",
            text=f"the gradient is taken at w + ρ·g/‖g‖ with ρ = {rho:g}: sharpness-aware minimisation (SAM)",
            change="leave the perturbation out, or ask for it",
            probe="a small gradient: the perturbation keeps its length",
            apply=partial(moved, rho=rho, eps=eps),
            numbers=1,
            variant=eps,
        )
        if _holds(chain, cause):
            yield cause


def _earlier(chain: Chain) -> Iterator[Cause]:
    """g_k = a_k·asked_k + c_k·g_{k−1}: what was left of the gradient before.

    A decay that the optimizer adds is not left over: it is taken from both sides, and added after the mixing.
    """
    assert chain.given is not None
    parts = [name for name in ("weight", "bias") if name in chain.given.value]
    asked = [each for each in (chain.asked.weight, chain.asked.total_bias) if each is not None]
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
        found = inverse @ value[k]
        if np.any(np.abs(A @ found - value[k]) > SLACK * (error[k] + np.abs(A[:, 1:]) @ np.abs(found[1:]) * 1e-6)):
            return None
        a[k], c[k] = found[0], found[1] if k else 0.0
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
    steps = steps_text(kept, chain.design.epoch)
    if every:
        text = NAMES["gradient-accumulated"].text
    elif exact:
        text = f"gradients are not set to zero before each backward pass: that of the step before is left in {steps}"
    else:
        text = f"the gradient holds {before.text()} times that of the step before, in {steps}"
    return Cause(
        id="gradient-accumulated" if every else "gradient-left-over",
        text=text,
        change="call optimizer.zero_grad() before every backward()"
        if exact
        else "take no part of the gradient of the step before",
        named=exact,
        probe="the second step",
        apply=partial(_mixed, kept=c, after_mixing=after_mixing),
        numbers=0 if exact else int(kept.sum()),
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


def _centred_batches(chain: Chain, *, unproven: bool = False) -> Iterator[Cause]:
    """Inputs from which each batch's own mean was subtracted, and perhaps divided by its deviation."""
    order, dataset = chain.design.material.order, chain.design.material.dataset
    for id, words, divided in (
        ("features-centred-per-batch", "the mean of each batch is subtracted from its inputs", False),
        (
            "features-standardised-per-batch",
            "the inputs of each batch are centred and divided by their deviation",
            True,
        ),
    ):
        with np.errstate(all="ignore"):
            batches = [_normalised(dataset.X[0, rows], divided) for epoch in order for rows in epoch]
        if not all(np.isfinite(each).all() for each in batches):
            continue
        ends = np.cumsum([0, *map(len, batches)])
        every = [np.arange(a, b) for a, b in pairwise(ends)]
        edges = np.cumsum([0, *(len(epoch) for epoch in order)])
        new = tuple(tuple(every[a:b]) for a, b in pairwise(edges))
        X = np.concatenate(batches)[None]
        y = np.concatenate([dataset.y[0, rows] for epoch in order for rows in epoch])[None]
        roundings = 4.0 * max(map(len, batches))
        cause = Cause(
            id=id,
            text=words,
            change="train on the data as they are, or normalise them once, with numbers of all rows",
            probe="batches of one row",
            apply=partial(_other_inputs, X=X, y=y, order=new, roundings=roundings),
        )
        if unproven or _holds(chain, cause):
            yield cause


def _normalised(X: Array, divided: bool) -> Array:
    """X − mean(X), and perhaps divided by the deviation, over the rows."""
    centred: Array = X - X.mean(axis=0)
    return centred / X.std(axis=0) if divided else centred


def _other_inputs(design: Design, *, X: Array, y: Array, order: Order, roundings: float) -> Design:
    return design.with_data(roundings, X=X, y=y).with_order(order)


def _centralised(chain: Chain) -> Iterator[Cause]:
    """g − mean(g) of the weight."""
    cause = Cause(
        id="gradient-centralised",
        text="the mean of its elements is subtracted from the weight's gradient (gradient centralisation)",
        change="step along the gradient itself",
        apply=lambda design: replace(design, twists=(*design.twists, Centralised())),
    )
    if _holds(chain, cause):
        yield cause


def _masked(chain: Chain) -> Iterator[Cause]:
    """Elements whose gradient is always 0."""
    assert chain.given is not None
    g = chain.given.value["weight"]
    zero = (g == 0).all(axis=0)
    if not zero.any() or zero.all():
        return
    mask = (~zero).astype(float)
    cause = Cause(
        id="gradient-masked",
        text=f"{which(zero)} of the weight gets no gradient: it is 0 in every step",
        change="look for a mask, a padding index, or a slice that stops short",
        apply=lambda design: replace(design, twists=(*design.twists, Masked(mask))),
    )
    if _holds(chain, cause):
        yield cause


def _narrow(chain: Chain) -> Iterator[Cause]:
    """Gradients of which every number is one of a narrower format, and next to the asked one."""
    observed = chain.observed
    if observed is None or chain.given is None or chain.given.source == "weights":
        return
    data = {"weight": chain.asked.data, "bias": chain.asked.total_bias}
    total = {"weight": chain.asked.weight, "bias": chain.asked.total_bias}
    for format in ("bfloat16", "float16"):
        narrow = FORMATS[format]
        if narrow.digits >= FORMATS[chain.engine.recording.dtype].digits:
            continue
        for recorded, asked in ((r, a) for r in (observed.seen, observed.raw) for a in (data, total)):
            if all(_rounded(recorded.get(name), each, narrow) for name, each in asked.items() if each is not None):
                yield replace(
                    _as_recorded(chain),
                    id=f"gradient-{format}",
                    text=f"gradients are rounded to {format} on their way to the optimizer: every "
                    f"recorded one is a {format} number",
                    change=NAMES[f"gradient-{format}"].change,
                    numbers=0,
                    named=True,
                )
                return


def _rounded(recorded: Array | None, asked: Array, format: Format) -> bool:
    """Whether numbers are the asked ones, rounded to a format; two roundings apart at most."""
    if recorded is None or not np.isfinite(recorded).all():
        return False
    values = np.asarray(recorded, float).reshape(asked.shape)
    return bool(np.all(format.round(values) == values) and np.all(np.abs(values - asked) <= 2 * format.half_ulp(asked)))


def _other_rows(chain: Chain, *, unproven: bool = False) -> Iterator[Cause]:
    """Which rows of all the data took part, and how often: δ is solved for over all of them."""
    from parity.explain.measure.rows import measure

    n, p = chain.X.shape
    if chain.given is None or n + 2 >= p or (chain.rows is not None and chain.rows.explained):
        return
    rows = measure(chain.given, chain.w, chain.X, [np.arange(n)] * chain.steps, columns=((),))
    if rows is None or not rows.explained:
        return
    batches = []
    for k in range(chain.steps):
        r = chain.outputs(k, np.arange(n)) - chain.y
        with np.errstate(all="ignore"):
            q, bar = rows.delta[k] / r, SLACK * rows.delta_error[k] / np.abs(r)
        some = np.flatnonzero(np.abs(rows.delta[k]) > SLACK * rows.delta_error[k])
        if not len(some):
            return
        least = np.min(np.abs(q[some]))
        counts = np.rint(q[some] / least)
        if np.any(counts < 1) or np.any(np.abs(q[some] / least - counts) > (bar[some] + 1e-6) / least):
            return
        batches.append(np.repeat(some, counts.astype(int)))
    ends = np.cumsum([0, *(len(epoch) for epoch in chain.design.material.order)])
    new = tuple(tuple(batches[a:b]) for a, b in pairwise(ends))
    first = next(k for k in range(chain.steps) if set(batches[k]) != set(chain.design.rows[k]))
    cause = Cause(
        id="batches-other-order",
        text=(
            f"batches have other rows than those that were handed out: step {first} has the rows "
            f"{listed(batches[first])}, "
            f"asked {listed(chain.design.rows[first])}"
        ),
        change="take the batches as they are handed out, to compare step by step",
        probe="the full batch, where the order of rows makes no difference",
        apply=lambda design: design.with_order(new),
    )
    if unproven or _holds(chain, cause):
        yield cause


def _as_recorded(chain: Chain) -> Cause:
    """Not named: the gradient that was recorded, in the place of the asked one."""
    assert chain.given is not None
    weights = chain.engine.recording.weights
    given = {name: each.reshape(weights[name][1:].shape) for name, each in chain.given.value.items()}
    off = [
        name
        for name, asked in (("weight", chain.asked.weight), ("bias", chain.asked.total_bias))
        if asked is not None and np.any(np.abs(chain.given.value[name] - asked) > SLACK * chain.given.error[name])
    ]
    wrong = np.zeros(chain.steps, bool)
    for name, asked in (("weight", chain.asked.weight), ("bias", chain.asked.total_bias)):
        if asked is not None:
            wrong |= np.any(np.abs(chain.given.value[name] - asked) > SLACK * chain.given.error[name], axis=1)
    ratio = np.linalg.norm(chain.given.value["weight"] - chain.asked.weight) / np.linalg.norm(chain.asked.weight)
    part = ""
    if chain.rows is not None and chain.rows.explained:
        part = ": it is a combination of the batch's rows and of what penalties add, otherwise than asked"
        if chain.as_asked("data") and SLACK * np.linalg.norm(chain.bars.data) < 0.01 * np.linalg.norm(chain.asked.data):
            part = ": what the rows give is as asked, what is added to it is not"
    elif chain.rows is not None:
        part = (
            ": it is no combination of the batch's rows and the weights: inputs, weights or the gradient itself were "
            "changed"
        )
    text = (
        f"the gradient of {' and '.join(off) or 'a parameter'} is not the asked one, in "
        f"{steps_text(wrong, chain.design.epoch)}, by {ratio:.2g} of its size{part}"
    )
    return Cause(
        id="gradient-other",
        text=text,
        change="look at everything between the batch and the optimizer: inputs, model, loss, hooks",
        apply=lambda design: replace(design, given=given),
        numbers=sum(each.size for each in given.values()),
        named=False,
    )
