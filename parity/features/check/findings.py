"""What is not as it should be of an optimizer class, as findings: its update, its numbers, its dtypes, its conduct."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.explain.feeds import Played
from parity.explain.finding import Finding
from parity.explain.replay import share_of
from parity.explain.update import explain_update
from parity.explain.update.references import shown
from parity.explain.update.stepped import decoupled
from parity.explain.words import Words, of_hyper, words_of
from parity.features.check.eigenbases import of_soap
from parity.features.check.held import key_of, motions
from parity.features.check.identify import Held, Identification, Judgement
from parity.features.check.jointly import is_joint, of_joint
from parity.features.check.orthogonal import of_muon
from parity.features.check.rules import RULES
from parity.features.check.wrapped import of_wrapped
from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers.muon import Muon
from refimpl.optimizers.soap import SOAP
from refimpl.optimizers.wrappers import WRAPPERS
from refimpl.ranges import Finite
from refimpl.types import Array, Optimizer, State

ENOUGH = 20
"""Values from which on that they are all of a format is no chance."""


def of_update(held: Held, played: Played, judged: Judgement) -> list[Finding]:
    """Why a run is not that of the references it is held to: what was executed, proven, or what was measured."""
    first = f"first disagreement: {judged.first}"
    if is_joint(held):
        return [of_joint(held, played, first)]
    if any(moment is not None for moments in played.elsewhere.values() for moment in moments):
        back, stays = shares(held, played)
        if min(back, stays) <= 1:
            return [_of_gradients_elsewhere(back if back <= 1 else stays, played, first, back=back <= 1)]
    if any(isinstance(optimizer, Muon) for optimizer in held.values()):
        return of_muon(held, played, judged)
    if any(isinstance(optimizer, SOAP) for optimizer in held.values()):
        return of_soap(held, played, judged)
    if any(type(optimizer) in WRAPPERS.values() for optimizer in held.values()):
        return [of_wrapped(held, played, first)]
    explained = explain_update(held, motions(played, "float64"), late=played.late)
    rule = f"compare with {'; '.join(dict.fromkeys(_line(optimizer) for optimizer in held.values()))}"
    if explained is None:  # float32 numbers that are no wider than they may be, and yet not this
        return []
    if explained.best is None:
        names = " and ".join(dict.fromkeys(key_of(optimizer) for optimizer in held.values()))
        narrow = tuple(_narrow_state(played))
        text = "; ".join([f"the update is not that of {names}", *narrow, explained.text])
        short = "; ".join([f"the update is not that of {names}", *narrow, judged.first])
        return [
            Finding(
                id="update", text=text, evidence=f"no known change of it explains it; {first}", change=rule, short=short
            )
        ]
    best, *others = explained.explanations
    text, _, key = best.text, *best.id.rpartition("reference-")[1:]
    if key in RULES:
        text = f"{text}: {RULES[key]}; that of {rule.removeprefix('compare with ')}"
    return [
        Finding(
            id=best.id,
            text=text,
            evidence=f"{best.evidence}; {first}",
            change=best.change,
            alike={other.id: other.text for other in others},
            probe="other hyper-parameters, which may make the two differ" if others else "",
        )
    ]


def _narrow_state(played: Played) -> Iterator[str]:
    """Tensors of the state that are kept in fewer digits than the parameters have."""
    kept: dict[tuple[str, str], list[str]] = {}
    for name, tensors in played.state.items():
        for key, values in tensors.items():
            known = values[np.isfinite(values) & (values != 0)]
            whole = np.array_equal(np.rint(known), known)  # counts and codes, which any format holds
            if values.shape[1:] != played.weights[name].shape[1:] or known.size < ENOUGH or whole:
                continue
            for format in ("bfloat16", "float16", "float32"):
                if np.array_equal(FORMATS[format].round(known), known):
                    kept.setdefault((key, format), []).append(name)
                    break
    for (key, format), names in kept.items():
        of = ", ".join(names)
        yield f"{key} of {of} is kept in {format}: each of its values after each step is one of that format"


def _of_gradients_elsewhere(share: float, played: Played, first: str, *, back: bool) -> Finding:
    """A step that is made with a gradient taken at other weights, and whether it goes ``back`` before it is made."""
    id, words = where(played)
    not_back = "; and it does not go back to the weights it came from before it makes the step"
    evidence = f"with this, all recorded weights lie within their bounds, at most {share:.2g} of them used; {first}"
    return Finding(
        id=id if back else f"{id}-not-back",
        text=words.text if back else words.text + not_back,
        evidence=evidence,
        change=words.change if back else "go back first (w ← w − e), then step",
        probe=words.probe,
    )


def of_numbers(identity: Identification, given: Mapping[str, Any]) -> Iterator[Finding]:
    """Hyper-parameters that are executed with another value than the one that was given."""
    fit = identity.fit
    for name in dict.fromkeys(changed.partition("[")[0] for changed in fit.changed):
        if name in given and hasattr(fit.optimizer, name):
            value = getattr(fit.optimizer, name)
            evidence = f"with it, all recorded numbers are those of {shown(fit.optimizer)}"
            for id, words in of_hyper(name, given[name], value, decoupled=decoupled(fit.optimizer)):
                yield Finding(id=id, text=words.text, evidence=evidence, change=words.change)


def of_dtypes(judged: Mapping[str, Judgement], raised: Mapping[str, str], name: str) -> Iterator[Finding]:
    """One finding for each dtype that does not agree, where float64 does."""
    for dtype, one in judged.items():
        if dtype != "float64" and one.share > 1:
            text = f"{dtype}: it is not {name}, though it is in float64; off by {one.share:.3g} times the tolerance"
            yield Finding(id=f"dtype-{dtype}", text=text, evidence=f"first disagreement: {one.first}")
    for dtype, said in raised.items():
        yield Finding(id=f"dtype-{dtype}", text=f"{dtype}: it raises {said}", evidence="it steps in float64")


def _line(optimizer: Any) -> str:
    key = key_of(optimizer)
    return f"{key} is {RULES[key]}" if key in RULES else shown(optimizer)


ALIKE = 1e-6
"""Relative difference up to which two directions are printed as the same: nothing is decided by it."""


@dataclass(frozen=True, kw_only=True)
class Displaced:
    """``rule`` from weights that were moved ``by`` ``(1, …)`` in each step."""

    lr: Finite
    rule: Optimizer
    by: tuple[Array, ...]

    def init(self, param: Array) -> State:
        return {"inner": self.rule.init(param), "turn": np.zeros(len(param), int)}  # type: ignore[dict-item]

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        by: Any = self.by[int(state["turn"].flat[0])]
        rule: Any = replace(self.rule, lr=self.lr) if hasattr(self.rule, "lr") else self.rule  # type: ignore[type-var]
        moved, inner = rule.step(param + by, grad, state["inner"])
        return moved, {"inner": inner, "turn": state["turn"] + 1}


def shares(held: Mapping[str, Optimizer], played: Played) -> tuple[float, float]:
    """Error ÷ allowance of steps with the gradients that they were made with: from w, and from where these are."""
    back, stays = 0.0, 0.0
    for motion in motions(played, "float64"):
        name, rule = motion.parameter, held[motion.parameter]
        gradients, by = motion.gradient.value.copy(), np.zeros_like(motion.gradient.value)
        for k, moment in enumerate(played.elsewhere[name][played.late.get(name, 0) :]):
            if moment is not None:
                by[k], gradients[k] = moment
        recorded = replace(motion, gradient=Bounded.tensor(gradients, motion.profile))
        displaced: Any = Displaced(lr=getattr(rule, "lr", 0.0), rule=rule, by=tuple(by[:, None]))
        back, stays = max(back, share_of(rule, [recorded])), max(stays, share_of(displaced, [recorded]))
    return back, stays


def where(played: Played) -> tuple[str, Words]:
    """The name and the words of where the last gradient of a step was taken."""
    sizes, along = [], True
    for k in range(max(len(moments) for moments in played.elsewhere.values())):
        at = {n: moment[0] for n, moments in played.elsewhere.items() if (moment := moments[k]) is not None}
        moved = np.concatenate([away.ravel() for away in at.values()])
        gradient = np.concatenate([played.gradients[name][k].ravel() for name in at])
        sizes.append(float(np.linalg.norm(moved)))
        unit = gradient / np.linalg.norm(gradient)
        along &= bool(np.linalg.norm(moved - sizes[-1] * unit) <= ALIKE * sizes[-1])
    if along and np.ptp(sizes) <= ALIKE * max(sizes):
        return "gradient-sharpness-aware", words_of("gradient-sharpness-aware", {"rho": sizes[0]})
    text = "the step is made with the gradient at other weights than those it starts from"
    change = "ask for this rule, or step with the gradient at w"
    return "gradient-elsewhere", Words(text=f"{text}: {min(sizes):.4g} to {max(sizes):.4g} away", change=change)
