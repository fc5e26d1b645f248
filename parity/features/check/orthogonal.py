"""Classes that are held to Muon: whether what they are judged by was recorded, and which options they have instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from parity.explain.feeds import Played
from parity.explain.finding import Finding
from parity.explain.newton_schulz import has_chain
from parity.explain.replay import share_of
from parity.explain.update.references import shown
from parity.features.check.held import motions
from parity.features.check.identify import Held, Judgement
from refimpl.optimizers.muon import Muon


def unrecorded(held: Held, played: Played) -> str:
    """Why a class cannot be held to Muon: no call made the products of its iteration; "" where some did."""
    matrices = {name: one for name, one in held.items() if isinstance(one, Muon)}
    if not matrices or any(
        has_chain(played.products, played.weights[name].shape[1:], one.ns_steps) for name, one in matrices.items()
    ):
        return ""
    steps = next(iter(matrices.values())).ns_steps
    shapes = " and ".join(dict.fromkeys(str(played.weights[name].shape[1:]) for name in matrices))
    return (
        f"for no parameter of shape {shapes} does step() make the {3 * steps} products of matrices of {steps} rounds "
        "of Newton and Schulz, by which muon is judged: it orthogonalises in another way, or has another rule for "
        "matrices this small"
    )


def of_muon(held: Held, played: Played, judged: Judgement) -> list[Finding]:
    """A step that is not as asked: the options with which it is, or its first number that is off."""
    first = f"first disagreement: {judged.first}"
    recorded = motions(played, "float64", scalar=judged.scalar)
    for other in _others(held):
        if all(share_of(other[motion.parameter], [motion]) <= 1 for motion in recorded):
            label = " and ".join(dict.fromkeys(shown(one) for one in other.values()))
            text = f"it steps as {label}"
            evidence = f"so all recorded numbers lie within their bounds; {first}"
            return [
                Finding(id="update-options", text=text, evidence=evidence, change="ask for these, or step as asked")
            ]
    text = f"the update is not that of {' and '.join(dict.fromkeys(type(one).__name__ for one in held.values()))}"
    short = f"{text}; {judged.first}"
    return [
        Finding(id="update", text=text, evidence=first, change="compare each stage with the reference", short=short)
    ]


def _others(held: Held) -> Iterator[Held]:
    """Muon with its other options, and without decay."""
    for nesterov in (False, True):
        for adjust in ("original", "match_rms_adamw", "rms_to_rms"):
            for decay in (True, False):
                changes = {"nesterov": nesterov, "adjust_lr_fn": adjust, **({} if decay else {"weight_decay": 0.0})}
                yield {n: replace(one, **changes) if isinstance(one, Muon) else one for n, one in held.items()}  # type: ignore[arg-type]
