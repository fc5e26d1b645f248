"""Classes that are held to SOAP: whether they show the bases that judge them, and which part of a step is off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

import numpy as np

from parity.explain.eigenbases import Made, based
from parity.explain.feeds import Played
from parity.explain.finding import Finding
from parity.explain.kept_bases import Kept, kept_of
from parity.explain.motion import Motion
from parity.explain.replay import replay, share_of
from parity.explain.update.references import shown
from parity.features.check.examined import Examined
from parity.features.check.held import motions
from parity.features.check.identify import Held, Judgement
from parity.features.check.states import check_names
from parity.step.expected import Expected
from refimpl.arithmetic.bases import unfolded
from refimpl.optimizers.soap import SOAP
from refimpl.types import Array, Optimizer

DIGITS = 4
"""Of a factor that was measured."""


class _Transposed(Made):
    def _in_use(self, k: int) -> dict[int, Any]:
        return {axis: Q.swapaxes(-1, -2) for axis, Q in super()._in_use(k).items()}


class _NotBack(Made):
    def _moved(self, param: Any, turned: Any, v: Any, Q: Mapping[int, Any]) -> Any:
        del Q
        return super()._moved(param, turned, v, {})


class _DecayBefore(Made):
    def _moved(self, param: Any, turned: Any, v: Any, Q: Mapping[int, Any]) -> Any:
        rule: Any = self.rule
        decayed = param * (1 - rule.lr * rule.weight_decay)
        self.rule = replace(rule, weight_decay=0)
        return super()._moved(decayed, turned, v, Q)


class _SquareOfGradient(Made):
    def _square(self, x: Any) -> Any:
        del x
        return self.grad * self.grad


class _SecondNotOrdered(Made):
    def _put(self, v: Any, *order: Any) -> Any:
        del order
        return v


class _OldMatrix(Made):
    def _of(self, axis: int) -> tuple[Any, Array, Array]:
        basis, Q, A = super()._of(axis)
        if self.k:
            before = self.kept.preconds[axis].after[self.k - 1 : self.k]
            A = np.asarray((before + before.swapaxes(1, 2)) / 2, A.dtype)
        return basis, Q, A


class _Eigenvectors(Made):
    def _next_basis(self, axis: int, *order: Any) -> Iterator[Expected]:
        del order
        return self._first_basis(axis)


class _EigenvectorsNotOrdered(_Eigenvectors, _SecondNotOrdered):
    pass


EDITS: Mapping[str, tuple[type[Made], str, str]] = {
    "soap-transposed": (_Transposed, "it rotates by Q where Qᵀ is meant, and back by Qᵀ", "G′ = Q_Lᵀ G Q_R"),
    "soap-not-rotated-back": (_NotBack, "its step is not rotated back", "N = Q_L N′ Q_Rᵀ"),
    "soap-decay-before": (
        _DecayBefore,
        "it decays before its step, so that the step itself does not decay",
        "make the step, then w ← w·(1 − ηλ)",
    ),
    "soap-square-not-rotated": (
        _SquareOfGradient,
        "v averages the squares of the gradient, not those of the rotated one",
        "v ← v + (1 − β₂)(G′² − v)",
    ),
    "soap-second-not-ordered": (
        _SecondNotOrdered,
        "v stays where it is when the columns of a basis are put in another order",
        "put v in the same order along that axis",
    ),
    "soap-old-matrix": (
        _OldMatrix,
        "its basis is made of the matrices before they have the gradient of the step",
        "average GGᵀ first, then Q ← qr(L Q)",
    ),
    "soap-eigenvectors": (
        _Eigenvectors,
        "each new basis is that of the eigenvectors, not one power iteration from that before it",
        "Q ← qr(L Q)",
    ),
    "soap-eigenvectors-not-ordered": (
        _EigenvectorsNotOrdered,
        "each new basis is that of the eigenvectors, not one power iteration from that before it, and v stays as it is",
        "Q ← qr(L Q), with v in the same order",
    ),
}
"""What a class may do instead: by what makes such steps, in words, and what to do."""


def unshown(held: Held, played: Played) -> str:
    """Why a class cannot be held to SOAP: it shows no basis of a parameter that must have one; "" where it does."""
    for motion in motions(played, "float64"):
        rule = held[motion.parameter]
        if isinstance(rule, SOAP) and (missing := _kept(rule, motion).missing):
            what = " and ".join(dict.fromkeys({"precond": "matrix", "basis": "basis"}[name] for name in missing))
            return (
                f"the state of {motion.parameter} shows no {what} of an axis of it, by which soap is judged; "
                "--state basis_0=NAME and precond_0=NAME say which tensor it is"
            )
    return ""


def with_names(examined: Examined, held: Held) -> Examined:
    """The tensors that ``--state`` gives a name have that of the reference, by which they are found.

    Raises :class:`InputError` for a name that the reference, or the class, has not.
    """
    if not examined.state or not any(isinstance(rule, SOAP) for rule in held.values()):
        return examined
    check_names(examined, held)
    own = {theirs: name for name, theirs in examined.state.items()}

    def named(played: Played) -> Played:
        state = {of: {own.get(key, key): array for key, array in kept.items()} for of, kept in played.state.items()}
        return replace(played, state=state)

    return replace(
        examined,
        runs={feed: named(played) for feed, played in examined.runs.items()},
        dtypes={dtype: named(played) for dtype, played in examined.dtypes.items()},
        lives=tuple(replace(lived, played=lived.played and named(lived.played)) for lived in examined.lives),
    )


def of_soap(held: Held, played: Played, judged: Judgement) -> list[Finding]:
    """A run that is not as asked: what was executed instead, if that is proven, or the part that is off."""
    recorded = motions(played, "float64", scalar=judged.scalar)
    first = f"first disagreement: {judged.first}"
    evidence = f"so all recorded numbers lie within their bounds; {first}"
    k, piece, motion = _first(held, recorded)
    part = _part(held[motion.parameter], k, piece, motion, played.late.get(motion.parameter, 0))
    if part.id == "soap-first-step":
        return [replace(part, evidence=first)]
    for other in _others(held, recorded):
        if all(share_of(other[one.parameter], [one]) <= 1 for one in recorded):
            label = " and ".join(dict.fromkeys(shown(one) for one in other.values()))
            text, change = f"it steps as {label}", "ask for these, or step as asked"
            return [Finding(id="update-options", text=text, evidence=evidence, change=change)]
    for id, (made, text, change) in EDITS.items():
        if all(share_of(based(held[one.parameter], one, made), [one]) <= 1 for one in recorded):
            return [Finding(id=id, text=text, evidence=evidence, change=change)]
    return [replace(part, evidence=first, short=f"{part.text}; {judged.first}")]


def _kept(rule: SOAP, motion: Motion) -> Kept:
    return kept_of(rule, motion.gradient.value[: len(motion.weights) - 1], motion.kept)


def _first(held: Held, recorded: Sequence[Motion]) -> tuple[int, Expected, Motion]:
    """The first piece that is off, with its step of the parameter."""
    off = []
    for motion in recorded:
        for k, piece in enumerate(replay(held[motion.parameter], motion)):
            if np.max(piece.share, initial=0) > 1:
                off.append((k, piece, motion))
                break
    return min(off, key=itemgetter(0))


def _part(rule: Optimizer, k: int, piece: Expected, motion: Motion, late: int) -> Finding:
    """Which part of SOAP a piece is of."""
    key, name = piece.quantity.key, motion.parameter
    kept = _kept(rule, motion) if isinstance(rule, SOAP) else Kept()
    axes = {tensor.name: axis for axis, tensor in (*kept.preconds.items(), *kept.bases.items())}
    if piece.quantity.kind == "orthogonality":
        return _named("soap-basis-not-orthogonal", f"the basis {key} of {name} is not orthogonal", "Q of a QR is")
    if piece.quantity.kind == "eigenvectors":
        text = f"the first basis {key} of {name} is not that of the eigenvectors of its matrix"
        return _named("soap-basis", text, "Q: the eigenvectors of L, each in a column")
    if piece.quantity.kind == "power iteration":
        after = kept.bases[axes[key]].after
        if np.array_equal(after[k], after[k - 1]):
            text = f"the basis {key} of {name} is not renewed in step {late + k}, where it is due"
            return _named("soap-basis-not-renewed", text, "renew it every precondition_frequency steps")
        text = f"the basis {key} of {name} in step {late + k} is not one power iteration from that before it"
        return _named("soap-basis", text, "Q ← qr(L Q), the columns in the order of qᵀLq")
    if piece.quantity.kind == "basis":
        text = f"the basis {key} of {name} changes in step {late + k}, where it is not due"
        return _named("soap-basis-changed", text, "renew it every precondition_frequency steps")
    if key in axes:
        said = _said(_executed(kept.preconds[axes[key]].after, motion, axes[key]), rule) if k == 0 else ""
        text = f"{key} of {name} is not the average of GGᵀ{said}"
        return _named("soap-matrix", text, "L ← L + (1 − β)(GGᵀ − L)")
    if kept.second is not None and key == kept.second.name:
        text = f"{key} of {name} is not the average of the squares of the rotated gradient"
        return _named("soap-second-moment", text, "v ← v + (1 − β₂)(G′² − v)")
    if kept.first is not None and key == kept.first.name:
        return _named("soap-first-moment", f"{key} of {name} is not the average of G", "m ← m + (1 − β₁)(G − m)")
    if k == 0:
        text = f"the first gradient of {name} makes a step: SOAP only begins its matrices with it"
        return _named("soap-first-step", text, "make no step with the first gradient of a parameter")
    return _named(
        "soap-step", f"the step of {name} is not that of SOAP in the basis that it has", "see refimpl/soap.py"
    )


def _named(id: str, text: str, change: str) -> Finding:
    return Finding(id=id, text=text, evidence="", change=change)


def _said(factor: float | None, rule: Any) -> str:
    """Which factor GGᵀ has in the first matrix, beside the one that it should have."""
    if factor is None:
        return ""
    beta = float(np.max(rule.betas[1] if rule.shampoo_beta is None else rule.shampoo_beta))
    twice = abs(factor - (1 - beta**2)) < 10.0**-DIGITS * factor
    said = f"; its first factor of GGᵀ is {factor:.{DIGITS}g}, where 1 − β is {1 - beta:.{DIGITS}g}"
    return f"{said}: that is 1 − β², as if the gradient came twice" if twice else said


def _executed(after: Array, motion: Motion, axis: int) -> float | None:
    """The factor of GGᵀ in the first matrix, to so many digits; None where it is none."""
    G = unfolded(motion.gradient.value[:1], axis).astype(float)[0]
    product = G @ G.T
    size = float((product * product).sum())
    factor = float((after[0] * product).sum() / size) if size else 0.0
    left = float(np.linalg.norm(after[0] - factor * product))
    return factor if left < 10.0**-DIGITS * np.linalg.norm(after[0]) else None


def _others(held: Held, recorded: Sequence[Motion]) -> Iterator[Held]:
    """SOAP with one other option, and with how often the class renews its bases."""
    rule = next(one for one in held.values() if isinstance(one, SOAP))
    changes: list[dict[str, Any]] = [
        {"correct_bias": not rule.correct_bias},
        {"ordered": not rule.ordered},
        {"precondition_1d": not rule.precondition_1d},
        {"shampoo_beta": rule.betas[0]},
        {"weight_decay": 0.0},
    ]
    changes += [{"precondition_frequency": often} for often in _frequencies(rule, recorded)]
    for change in changes:
        yield {name: replace(one, **change) if isinstance(one, SOAP) else one for name, one in held.items()}


def _frequencies(rule: SOAP, recorded: Sequence[Motion]) -> set[int]:
    """The first step in which a basis changes, where one does."""
    first = set()
    for motion in recorded:
        for basis in _kept(rule, motion).bases.values():
            changed = np.flatnonzero(np.any(basis.after[1:] != basis.after[:-1], axis=(1, 2)))
            first |= {int(changed[0]) + 1} if changed.size else set()
    return first - {rule.precondition_frequency}
