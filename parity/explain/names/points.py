"""The weights at which the gradient was taken, where they are not those that the step changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import steps_text
from parity.explain.names import history
from parity.step.design import Design
from refimpl.types import Array

EPSILONS = (0.0, 1e-12, 1e-8, 1e-6)
"""Numbers that people add to a norm that they divide by."""
SHORT = 1e-4
"""Relative spread of numbers that are said to be one: what is put in is what was recorded."""


def recorded(chain: Chain, design: Design) -> Iterator[Cause]:
    """Weights that were others during the backward pass: moved back before the step, or stepped from."""
    observed = chain.observed
    if observed is None or design.begins or design.at:
        return
    weights = chain.engine.recording.weights
    at = {}
    for name, its in weights.items():
        seen = observed.points.get(name)
        if seen is None or len(seen) != chain.steps or not np.isfinite(seen).all():
            return
        at[name] = np.asarray(seen, float).reshape(its[1:].shape)
    if all(np.array_equal(at[name], its[:-1]) for name, its in weights.items()):
        return
    where, id = _displaced(chain, at)
    for back in (False, True):
        yield cause(
            id if back else f"{id}-not-moved-back",
            partial(replace, at=at) if back else partial(replace, begins=at),
            of="gradient-elsewhere" if back else "gradient-elsewhere-not-moved-back",
            evidence="the weights at the backward pass were recorded, and are not those before the step",
            where=where,
        )


def earlier(chain: Chain, design: Design) -> Iterator[Cause]:
    """Steps that are made from the weights of an earlier moment, with the gradient and the state of now."""
    weights = {name: each.reshape(len(each), -1) for name, each in chain.engine.recording.weights.items()}
    if design.begins or design.at or design.steps != chain.steps:
        return
    predicted, room = chain.engine.weights([design]), chain.engine.allowances(design)
    off = {name: its[1:] - predicted[name][0].reshape(its[1:].shape) for name, its in weights.items()}
    if not all(np.isfinite(each).all() for each in off.values()):
        return
    wrong = np.any([(np.abs(off[name]) > room[name]).any(axis=1) for name in off], axis=0)
    if not wrong.any() or 2 * wrong.sum() > chain.steps:
        return
    moments = {int(k): _moment(int(k), weights, off, room) for k in np.flatnonzero(wrong)}
    if any(j is None for j in moments.values()):
        return
    of = np.array([moments.get(k, k) for k in range(chain.steps)])
    recorded = chain.engine.recording.weights
    yield cause(
        "stepped-from-earlier-weights",
        lambda d: replace(
            d,
            begins={name: each[of] for name, each in recorded.items()},
            at={name: each[:-1] for name, each in recorded.items()},
        ),
        steps=steps_text(wrong, design.epoch),
        moments=", ".join(dict.fromkeys(f"before step {j}" for j in moments.values())),
    )


def _moment(k: int, weights: dict[str, Array], off: dict[str, Array], room: dict[str, Array]) -> int | None:
    """The step before which the weights were those that step k began with; None where there is none."""
    fits = [
        j
        for j in range(k)
        if all(np.all(np.abs(its[k] + off[name][k] - its[j]) <= SLACK * room[name][k]) for name, its in weights.items())
    ]
    return fits[0] if fits else None


def _displaced(chain: Chain, at: dict[str, Array]) -> tuple[str, str]:
    """What u_k = at_k − w_k is a multiple of, in words, and the name that it gives the fault."""
    flat = {name: each.reshape(len(each), -1) for name, each in chain.engine.recording.weights.items()}
    w = np.concatenate([*flat.values()], axis=1)
    point = np.concatenate([each.reshape(len(each), -1) for each in at.values()], axis=1)
    g = np.concatenate([*chain.asked.whole.values()], axis=1)
    before = np.concatenate([w[:1], w[:-2]]) if len(w) > 2 else w[:-1]
    origin = np.concatenate([w[:1], point[:-1]])
    length = np.linalg.norm(g, axis=1, keepdims=True)
    for id, direction, words in (
        ("gradient-sharpness-aware", g / length, "w + ρ·g/‖g‖ with ρ = {}: sharpness-aware minimisation (SAM)"),
        ("gradient-look-ahead", w[:-1] - before, "w + {}·(w − w of the step before), a point ahead on the way"),
        ("gradient-look-ahead", w[:-1] - origin, "w + {}·v, v being the step before: the look-ahead point of Nesterov"),
    ):
        square = np.sum(direction**2, axis=1)
        some = square > 0
        c = np.sum((point - w[:-1]) * direction, axis=1)[some] / square[some]
        middle = float(np.median(c)) if some.any() else 0.0
        off = np.abs(point - w[:-1] - middle * direction).max()
        if middle and np.ptp(c) <= SHORT * abs(middle) and off <= SHORT * np.abs(point - w[:-1]).max():
            return words.format(f"{middle:.4g}"), id
    steps = np.flatnonzero((point != w[:-1]).any(axis=1))
    made = history.said(point, [w[: k + 1] for k in range(chain.steps)], steps, chain.unit)
    return "other weights than those before the step" + (f": {made}" if made else ""), "gradient-elsewhere"


def causes(chain: Chain) -> Iterator[Cause]:
    """Other weights that give the measured gradient, where the backward pass did not show them."""
    yield from at_earlier(chain)
    yield from _perturbed(chain)


def at_earlier(chain: Chain) -> Iterator[Cause]:
    """∇J(w_{k−j}), or ∇J(w₀); ∇L there and ∇Ω(w_k), of the weight and the bias or of the weight alone."""
    weights, epoch = chain.engine.recording.weights, chain.design.epoch
    k = np.arange(chain.steps)
    late = {j: f"the weights of {j} steps before" for j in (2, 3)}
    for id, words, at in (
        ("gradient-at-weights-before", "the weights before the last step", np.maximum(k - 1, 0)),
        ("gradient-at-first-weights", "the initial weights, at every step", 0 * k),
        ("gradient-at-weights-of-epoch", "the weights of the epoch's start", np.searchsorted(epoch, epoch)),
        *(("gradient-at-earlier-weights", words, np.maximum(k - j, 0)) for j, words in late.items()),
    ):
        at_weights = {name: values[at] for name, values in weights.items()}
        yield cause(id, partial(replace, at=at_weights), of="gradient-at-earlier-weights", words=words)
        for names, whose in ((tuple(weights), ""), (("weight",), ", with the bias of now")):
            there = {name: at_weights[name] if name in names else its[:-1] for name, its in weights.items()}
            passed = partial(_of_outputs, at=there)
            yield cause(f"{id}-outputs", passed, of="outputs-of-earlier-weights", words=words + whose)


def _of_outputs(design: Design, at: dict[str, Array]) -> Design:
    """The outputs are those of other weights; what penalties add is that of the weights of now."""
    none = tuple(np.zeros(len(rows)) for rows in design.rows)
    penalties = replace(design, row_times=none, also=())
    return replace(design.with_penalties(), at=at, also=(*design.also, (penalties, np.ones(design.steps))))


def _perturbed(chain: Chain) -> Iterator[Cause]:
    """SAM: ∇J(w + ρ·g/‖g‖). With squares it is affine in ρ, so that ρ is read off."""
    assert chain.given is not None
    recording, gradients = chain.engine.recording, chain.asked.whole
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
        apply = partial(moved, rho=rho, eps=eps)
        yield cause("gradient-sharpness-aware", apply, numbers=1, variant=eps, rho=rho)
