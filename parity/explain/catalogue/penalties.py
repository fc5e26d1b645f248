"""λ: how much of it, of what, on which parameters, and where it enters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.explain.catalogue.name import (
    Name,
    batch_sizes,
    l2_strength,
    map_penalties,
    own_decays,
    penalised,
    times_decay,
    undecayed,
)
from parity.explain.faults.penalties import plain_sum, unsquared
from parity.step.design import Design
from refimpl.optimizers import SGD, SGDW, Adam, AdamW, NAdam, RAdam
from refimpl.penalties import L1, L2

STRENGTHS = (0.001, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0)
FADES = "small weights: the pull of L1 does not fade with w"
NONE = "set weight_decay=0, and leave the penalty out of the loss"
LEFT = "small gradients, where the penalty is what is left"
SIZE = "batches of another size, or another number of rows"


def of(asked: tuple[type, ...], kind: Any, times: float) -> Any:
    """A penalty of some kind and strength λ replaced by ``kind`` of strength ``times·λ``."""

    def change(penalty: Any) -> Any:
        if type(penalty) not in asked:
            return penalty
        return kind(strength=times * penalty.strength, parameters=penalty.parameters)

    return change


def in_loss_too(design: Design, on_all: float) -> Design | None:
    """Decay of the optimizer and the penalty in the loss, both; and (1) of every parameter in the optimizer."""
    penalties, every = design.form.in_gradient.penalties, tuple(design.form.optimizers)
    again = [replace(p, parameters=every) if on_all == 1 else p for p in penalties if isinstance(p, L2)]
    extra = [*as_penalties(own_decays(design)), *again]
    return design.with_penalties(*penalties, *extra) if extra else None


def as_penalties(lam: Mapping[str, float]) -> list[L2]:
    return [L2(strength=strength, parameters=(name,)) for name, strength in lam.items()]


def on_bias(design: Design, *, only: bool) -> Design | None:
    """The penalties of the weight on the bias, too, or instead."""
    if "bias" not in design.form.optimizers or not penalised(design):
        return None
    to = ("bias",) if only else ("weight", "bias")
    changed = map_penalties(design, lambda p: replace(p, parameters=to) if "bias" not in p.parameters else p)
    lam = own_decays(design).get("weight")
    if lam is None:
        return changed
    decayed = (changed or design).with_optimizers(lambda o: replace(o, weight_decay=lam), "bias")
    decayed = undecayed(decayed, "weight") if only else decayed
    return None if decayed.form.optimizers == design.form.optimizers else decayed


def not_on_bias(design: Design, _: float) -> Design | None:
    """Nothing on the bias, where it was asked."""
    if "bias" not in design.form.optimizers:
        return None
    asked: list[Any] = list(design.form.in_gradient.penalties)
    rest = [replace(p, parameters=tuple(n for n in p.parameters if n != "bias")) for p in asked]
    found = undecayed(design, "bias").with_penalties(*(p for p in rest if p.parameters))
    return None if found.form == design.form else found


def without(design: Design, _: float) -> Design | None:
    return undecayed(design).with_penalties() if penalised(design) else None


def decoupled(design: Design, _: float = 0.0) -> Design | None:
    """Coupled L2 on a parameter becomes decoupled decay of its optimizer, all of it."""
    lam: dict[str, float] = {}
    for name, penalty in design.form.in_gradient.terms:
        lam[name] = lam.get(name, 0.0) + (l2_strength(penalty) if isinstance(penalty, L2) else 0.0)
    names = [name for name, strength in lam.items() if strength]
    found = design
    for name in names:
        found = found.with_optimizers(lambda o, own=lam[name]: _with_decay(o, own), name)  # type: ignore[misc]
    if not names or any(found.form.optimizers[name] == design.form.optimizers[name] for name in names):
        return None
    return found.with_penalties(*(p for p in design.form.in_gradient.penalties if not isinstance(p, L2)))


def _with_decay(optimizer: Any, lam: float) -> Any:
    """The decoupled sibling of an optimizer, or the same one where it has none."""
    if type(optimizer) is SGD and not optimizer.maximize:
        names = ("lr", "momentum", "dampening", "nesterov")
        return SGDW(**{name: getattr(optimizer, name) for name in names}, weight_decay=lam)
    if isinstance(optimizer, Adam | NAdam | RAdam):
        return replace(optimizer, weight_decay=lam, decoupled_weight_decay=True)
    return optimizer


def coupled(design: Design, _: float) -> Design | None:
    """Decoupled decay becomes an L2 penalty."""
    lam = own_decays(design)
    penalties = design.form.in_gradient.penalties
    return undecayed(design).with_penalties(*penalties, *as_penalties(lam)) if lam else None


def shrinking(design: Design, rate: str, before: bool) -> Design | None:
    """λ taken off the weights directly, times η_k ("now"), η₀ ("first"), η_k² ("twice") or alone, before or after."""
    found = decoupled(design) or design
    rates, lam = {name: found.rates(name) for name in found.form.optimizers}, own_decays(found)
    if not lam or not all(np.all(eta) for eta in rates.values()):
        return None
    times = {}
    for name in lam:
        eta = rates[name]
        times[name] = {"now": np.ones_like(eta), "first": eta[0] / eta, "none": 1 / eta, "twice": eta}[rate]
    if before:
        return replace(found, decay_times=times)
    shrink = {name: rates[name] * times[name] * strength for name, strength in lam.items()}
    return replace(undecayed(found), shrink=shrink)


def extra(design: Design, lam: float, kind: Any, names: tuple[str, ...]) -> Design | None:
    """A penalty where none was asked."""
    if penalised(design) or lam < 0 or not set(names) <= set(design.form.optimizers):
        return None
    return design.with_penalties(kind(strength=lam, parameters=names))


def extra_decay(design: Design, lam: float) -> Design | None:
    """Decoupled decay of every parameter where none was asked."""
    if penalised(design) or lam < 0:
        return None
    found = design.with_optimizers(
        lambda o: _with_decay(o, lam) if not isinstance(o, AdamW) else replace(o, weight_decay=lam)
    )
    return found if found.form != design.form else None


def moved(design: Design) -> bool:
    """True where the schedule changes η."""
    return any(len(set(design.rates(name))) > 1 for name in design.form.optimizers)


def not_scheduled(design: Design, form: float) -> Design | None:
    """η₀·λ where η_k·λ was meant: in the gradient, beside the step, or after it."""
    if not moved(design) or not penalised(design):
        return None
    if form == 0:
        return times_decay(design, design.rates("weight")[0] / design.rates("weight"))
    return shrinking(design, "first", before=form == 1)


PENALTIES = {
    "penalty-halved": Name(
        text="λ is half of what was asked (λ/2·‖w‖² counted as λ/4·‖w‖²)",
        change="λ/2·‖w‖² has the gradient λw, which is what weight_decay=λ adds",
        probe="λ = 0, where it makes no difference, against a large λ",
        apply=lambda design, _: times_decay(design, 0.5),
    ),
    "penalty-doubled": Name(
        text="λ is twice what was asked: λ‖w‖² has the gradient 2λw, while weight_decay=λ adds λw",
        change="write λ/2·‖w‖², or halve λ",
        probe="λ = 0, where it makes no difference, against a large λ",
        apply=lambda design, _: times_decay(design, 2.0),
    ),
    "penalty-over-rows": Name(
        text="λ is divided by the number of training rows",
        change="do not divide the penalty by n: it is added to the mean loss as it is",
        probe=SIZE,
        apply=lambda design, _: times_decay(design, 1 / design.material.dataset.X.shape[1]),
    ),
    "penalty-over-batch": Name(
        text="λ is divided by the batch's number of rows",
        change="add the penalty to the mean of the loss, not to its sum before it is divided",
        probe=SIZE,
        apply=lambda design, _: times_decay(design, 1 / batch_sizes(design)),
    ),
    "penalty-over-features": Name(
        text="λ is divided by the number of features: the penalty is the mean of the squares and not their sum",
        change="sum the squares: (w ** 2).sum()",
        probe="another number of features",
        apply=lambda design, _: times_decay(design, 1 / design.material.dataset.X.shape[2]),
    ),
    "penalty-times-batch": Name(
        text="λ is multiplied by the batch's number of rows: the penalty is added to every row and summed",
        change="add the penalty once to the batch's loss",
        probe=SIZE,
        apply=lambda design, _: times_decay(design, batch_sizes(design)),
    ),
    "penalty-in-loss-and-optimizer": Name(
        text="the penalty is applied twice: in the loss and as the optimizer's weight_decay",
        change="keep one of the two",
        probe="an optimizer with decoupled decay, where the two are not the same",
        apply=in_loss_too,
        values=(0.0, 1.0),
    ),
    "penalty-once-per-epoch": Name(
        text="the penalty is applied at the first batch of an epoch only",
        change="add the penalty to every batch's loss",
        probe="several batches in an epoch",
        apply=lambda design, _: times_decay(design, np.diff(design.epoch, prepend=-1) > 0),
    ),
    "penalty-last-batch-of-epoch": Name(
        text="the penalty is applied at the last batch of an epoch only",
        change="add the penalty to every batch's loss",
        probe="several batches in an epoch",
        apply=lambda design, _: times_decay(design, np.diff(design.epoch, append=design.epoch[-1] + 1) > 0),
    ),
    "penalty-wrong-sign": Name(
        text="the penalty is subtracted: weights grow",
        change="add the penalty to the loss",
        probe="a large λ: the norm of the weights grows",
        apply=lambda design, _: times_decay(design, -1.0),
    ),
    "penalty-norm-not-squared": Name(
        text="the penalty is λ/2·‖w‖, the norm itself and not its square",
        change="square the norm: (w ** 2).sum()",
        probe="small weights: the pull of the norm does not fade with w",
        apply=lambda design, _: map_penalties(design, of((L2,), unsquared, 0.5)),
    ),
    "penalty-norm-not-halved": Name(
        text="the penalty is λ·‖w‖, the norm itself and neither squared nor halved",
        change="square the norm and halve it: (w ** 2).sum() / 2",
        probe="small weights: the pull of the norm does not fade with w",
        apply=lambda design, _: map_penalties(design, of((L2,), unsquared, 1.0)),
    ),
    "penalty-sum-of-weights": Name(
        text="the penalty is {value:g}·λ·Σw, the sum of the weights themselves: a constant push, whatever w",
        change="sum the squares: (w ** 2).sum() / 2",
        probe="weights of both signs: all are pushed the same way",
        apply=lambda design, times: map_penalties(design, of((L1, L2), plain_sum, times)),
        values=(1.0, 0.5),
    ),
    "penalty-l1-for-l2": Name(
        text="the penalty is {value:g}·λ·‖w‖₁, where λ/2·‖w‖² was asked",
        change="sum the squares, not the absolute values",
        probe=FADES,
        apply=lambda design, times: map_penalties(design, of((L2,), L1, times)),
        values=(1.0, 0.5),
    ),
    "penalty-l2-for-l1": Name(
        text="the penalty is {value:g}·λ/2·‖w‖², where λ·‖w‖₁ was asked: weight_decay is L2",
        change="add λ·w.abs().sum() to the loss: optimizers offer L2 only",
        probe=FADES,
        apply=lambda design, times: map_penalties(design, of((L1,), L2, times)),
        values=(1.0, 2.0),
    ),
    "penalty-on-bias-too": Name(
        text="the bias is decayed like the weight: weight_decay reaches every parameter that is in no group of its own",
        change="give the bias a parameter group with weight_decay=0",
        probe="a bias that is far from 0",
        apply=lambda design, _: on_bias(design, only=False),
    ),
    "penalty-on-bias-only": Name(
        text="the bias is decayed and the weight is not: the parameter groups are swapped",
        change="swap weight_decay of the two parameter groups",
        probe="a bias that is far from 0",
        apply=lambda design, _: on_bias(design, only=True),
    ),
    "penalty-not-on-bias": Name(
        text="the bias is not decayed, where it was asked",
        change="give the bias to the parameter group that decays",
        probe="a bias that is far from 0",
        apply=not_on_bias,
    ),
    "penalty-missing": Name(
        text="there is no penalty and no decay",
        change="add the penalty to the loss, or pass weight_decay",
        probe="a large λ; whether the objective that is minimised has the penalty in it",
        apply=without,
    ),
    "penalty-detached": Name(
        text="the penalty is in the loss and not in the gradient: it is detached, or made of .data",
        change="compute the penalty from the parameters themselves, with their graph",
        probe="a large λ; whether the objective that is minimised has the penalty in it",
        apply=without,
    ),
    "decay-not-times-lr": Name(
        text="the decay is λ·w a step, not multiplied by η",
        change="multiply the decay by the learning rate: w -= lr * lam * w",
        probe="another η: the decay does not follow it",
        apply=lambda design, before: shrinking(design, "none", before=before == 1),
        values=(0.0, 1.0),
    ),
    "decay-times-lr-twice": Name(
        text="the decay is η²·λ·w a step, multiplied by η twice",
        change="multiply the decay by the learning rate once",
        probe="another η: the decay follows its square",
        apply=lambda design, form: (
            times_decay(design, design.rates("weight")) if form == 0 else shrinking(design, "twice", before=form == 1)
        ),
        values=(0.0, 1.0, 2.0),
    ),
    "decay-not-scheduled": Name(
        text="the decay uses the learning rate of the start, while the schedule moves η",
        change="read the learning rate of the moment from the optimizer's parameter group",
        probe="a schedule that moves η far",
        apply=not_scheduled,
        values=(0.0, 1.0, 2.0),
    ),
    "decoupled-for-coupled": Name(
        text="the decay is decoupled, w·(1 − ηλ) beside the step (AdamW), where λw in the gradient was asked",
        change="use the optimizer without W, or put the penalty in the loss",
        probe="momentum or Adam: with plain SGD the two are the same",
        apply=lambda design, _: shrinking(design, "now", before=True),
    ),
    "decay-after-step": Name(
        text="the decay comes after the step, w ← (1 − ηλ)·(w + Δw), so that the step just made is shrunk, too",
        change="decay the weights before the step, or put the penalty into the gradient",
        probe="a large ηλ: the steps are shorter by the factor 1 − ηλ",
        apply=lambda design, _: shrinking(design, "now", before=False),
    ),
    "coupled-for-decoupled": Name(
        text="the decay is coupled, λw in the gradient (L2, Adam), where w·(1 − ηλ) beside the step was asked (AdamW)",
        change="use AdamW, or decay the weights outside of the gradient",
        probe="momentum or Adam: with plain SGD the two are the same",
        apply=coupled,
    ),
    **{
        id: Name(
            text=f"{of} penalty with λ = {{value:.6g}}, where none was asked",
            change=change,
            probe=probe,
            apply=partial(extra, kind=kind, names=names),
            values=STRENGTHS,
            free=True,
        )
        for id, of, kind, names, change, probe in (
            ("penalty-extra", "the weight has an L2", L2, ("weight",), NONE, LEFT),
            ("penalty-extra-on-all", "weight and bias have an L2", L2, ("weight", "bias"), NONE, LEFT),
            ("penalty-extra-l1", "the weight has an L1", L1, ("weight",), "leave the penalty out of the loss", FADES),
        )
    },
    "decay-extra": Name(
        text="weight and bias are decayed by w·(1 − ηλ) with λ = {value:.6g}, where no decay was asked",
        change="set weight_decay=0: AdamW decays by default, with 0.01",
        probe="gradients that are 0, where the decay is all that moves a weight",
        apply=extra_decay,
        values=STRENGTHS,
        free=True,
    ),
    "penalty-other-strength": Name(
        text="λ is {value:.6g} times what was asked",
        change="look for a factor in λ",
        probe="another λ",
        apply=times_decay,
        values=(0.01, 0.1, 0.25, 0.5, 1.5, 3.0, 10.0, 100.0),
        free=True,
    ),
}
