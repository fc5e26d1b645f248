"""Any optimizer class: which reference it is, what its decay is, and what else it does.

The class runs in a process of its own (:mod:`parity.check.examine`) on a few feeds (:mod:`parity.check.feeds`); here
only arrays arrive. Held to a reference by name, or to the one that fits, every recorded number must lie within its
tolerance, in each dtype. Where none fits, what was measured is said and nothing is judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from parity.check.decay import Decay, alike, decay_of
from parity.check.differences import Measured, broken_rules, differences, executed, in_dtypes, words
from parity.check.examined import Examined
from parity.check.feeds import decay_of as strength
from parity.check.feeds import rate_of
from parity.check.held import demanded, motions, parse_against
from parity.check.identify import Held, Judgement, identify, judge
from parity.check.invariance import facts
from parity.check.target import Target
from parity.check.worker import TheirError, run
from parity.explain.family import shown
from parity.explain.finding import CheckVerdict, Diagnosis, Finding
from parity.explain.law import measure_all
from parity.explain.replay import share_of
from parity.judge.undecidable import variants
from refimpl.types import Optimizer


def check_optimizer(
    target: Target,
    hyper: Mapping[str, Any],
    *,
    against: str | None = None,
    dtypes: Sequence[str] = ("float64", "float32"),
    device: str = "cpu",
    limit: float = 120.0,
) -> Diagnosis:
    """Run a class in a process of its own and say what it is.

    ``against``: the reference that it must be, ``"adamw"`` or ``"sgd(nesterov=False)"``; hyper-parameters that both
    know go to both. Raises :class:`InputError` for what is no optimizer class, or no reference.
    """
    if against is not None:
        parse_against(against)
    try:
        words = (target, dict(hyper), tuple(dtypes), device)
        examined: Examined = run("parity.check.examine:examine_target", *words, limit=limit)
    except TheirError as error:
        said = str(error).splitlines()[-1]
        notes = (str(error),)
        return Diagnosis(verdict="error", text=f"it raises {said}", against=against or "", share=math.inf, notes=notes)
    return conclude(examined, hyper, against)


def conclude(examined: Examined, hyper: Mapping[str, Any], against: str | None = None) -> Diagnosis:
    """What the runs of a class show. Raises :class:`InputError` for a reference that does not take what was asked."""
    if not examined.shapes:
        text = f"it does not take what every optimizer is fed here: {examined.refusal}"
        return Diagnosis(verdict="unsupported", text=text, against=against or "", share=math.inf)
    lr, lam = rate_of(examined.given), strength(examined.given)
    decays = {name: decay_of(examined.runs, name, lr, lam) for name in examined.shapes}
    key, own = parse_against(against) if against is not None else ("", {})
    reference = demanded(key, own, hyper, examined.given) if key else None
    identity, nearest = identify(examined, first=reference)
    laws = [law for law in measure_all(motions(examined.runs["drawn"], "float64")) if law.explained]
    measured = Measured(examined=examined, decays=decays, laws=laws, identity=identity)
    if reference is not None:
        return _held_to(measured, reference, dict.fromkeys(examined.shapes, reference), demand=True)
    if identity is not None:
        assert identity.fit.optimizer is not None
        return _held_to(measured, identity.fit.optimizer, identity.held, demand=False)
    return _law_only(measured, nearest)


def _held_to(measured: Measured, reference: Optimizer, held: Held, *, demand: bool) -> Diagnosis:
    """Against the reference that was demanded, or the one that it is."""
    examined, identity = measured.examined, measured.identity
    runs = {"float64": examined.runs["drawn"], **examined.dtypes}
    judged = {dtype: judge(held, played, dtype, float32=examined.keeps_float32) for dtype, played in runs.items()}
    label = shown(reference) if demand or identity is None else identity.text
    if judged["float64"].share > 1:
        found = differences(measured, reference, judged["float64"])
    else:
        found = [*([] if demand else executed(measured)), *in_dtypes(judged, examined.raised, label)]
    found += broken_rules(examined)
    share = max(one.share for one in judged.values())
    unseen = () if share > 1 else _unseen(held, examined)
    verdict: CheckVerdict = "disagree" if found or share > 1 else "undecidable" if unseen else "agree"
    notes = [
        *examined.notes,
        *_decay_notes(measured),
        *_scalars(judged),
        *(_defaults(examined, reference) if demand else ()),
    ]
    return Diagnosis(
        verdict=verdict,
        text=_text(verdict, label, judged, found, unseen),
        against=label,
        share=share,
        laws=tuple(measured.laws),
        words=tuple(words(measured, reference)) if demand else (),
        family=identity.text if identity else "",
        findings=tuple(found),
        unseen=unseen,
        notes=tuple(notes),
        residual={f"{dtype}, {label}": one.steps for dtype, one in judged.items()},
    )


def _law_only(measured: Measured, nearest: str) -> Diagnosis:
    """No reference fits: what was measured, and what it must not do."""
    examined, found = measured.examined, broken_rules(measured.examined)
    found += [
        Finding(id=f"dtype-{dtype}", text=f"{dtype}: it raises {said}", evidence="it steps in float64")
        for dtype, said in examined.raised.items()
    ]
    said = measured.laws[-1].text if measured.laws else nearest
    notes = [*examined.notes, *_decay_notes(measured), *facts(examined.runs, rate_of(examined.given)), nearest]
    return Diagnosis(
        verdict="disagree" if found else "undecidable",
        text="; ".join([f"law only: {said}", *(finding.text for finding in found)]),
        against="",
        share=math.inf,
        laws=tuple(measured.laws),
        findings=tuple(found),
        notes=tuple(notes),
    )


def _unseen(held: Held, examined: Examined) -> tuple[str, ...]:
    """Hyper-parameters that could have a neutral value without leaving the tolerance."""
    recorded = motions(examined.runs["drawn"], "float64")
    optimizers = [held[motion.parameter] for motion in recorded]
    names = dict.fromkeys(name for optimizer in optimizers for name, *_ in variants(optimizer))
    found = []
    for name in names:
        others = [next((o for n, _, o in variants(each) if n == name), None) for each in optimizers]
        pairs = [(other, motion) for other, motion in zip(others, recorded, strict=True) if other is not None]
        if all(share_of(other, [motion]) <= 1 for other, motion in pairs):
            found.append(name)
    return tuple(found)


# -- words -------------------------------------------------------------------------------------------------------------


def _text(
    verdict: str, label: str, judged: Mapping[str, Judgement], found: Sequence[Finding], unseen: Sequence[str]
) -> str:
    if found:
        return "; ".join(finding.text for finding in found)
    if verdict == "disagree":
        dtype, one = next((dtype, one) for dtype, one in judged.items() if one.share > 1)
        return f"{dtype}: it is not {label}: {one.first}"
    count, share = sum(one.count for one in judged.values()), max(one.share for one in judged.values())
    within = f"{count:,} numbers in {' and '.join(judged)} within tolerance, at most {share:.2f} of it used"
    unsaid = f"; {', '.join(unseen)} cannot be seen in these steps" if unseen else ""
    return f"it is {label}: {within}{unsaid}"


def _decay_notes(measured: Measured) -> list[str]:
    """The decay of every parameter, those that share one together."""
    groups: list[tuple[list[str], Decay]] = []
    for name, decay in measured.decays.items():
        names = next((names for names, other in groups if alike(decay, other)), None)
        if names is None:
            groups.append(([name], decay))
        else:
            names.append(name)
    given = measured.examined.given
    lam = strength(given)
    off = f", were it on with weight_decay = {lam:g}" if lam is not None and not given["weight_decay"] else ""
    return [f"decay of {', '.join(names)}{off}: {decay.text}" for names, decay in groups]


def _scalars(judged: Mapping[str, Judgement]) -> list[str]:
    """Where it agrees only with numbers that are computed in less than Python's have."""
    narrow = " and ".join(dtype for dtype, one in judged.items() if one.share <= 1 and one.scalar != "float64")
    return (
        [f"in {narrow} it agrees if numbers such as 1 − βᵗ are computed in float32, not in float64"] if narrow else []
    )


def _defaults(examined: Examined, reference: Any) -> list[str]:
    """Defaults of the class that are not those of the reference."""
    usual = {field.name: field.default for field in fields(reference) if field.default is not MISSING}
    other = {n: v for n, v in examined.defaults.items() if n in usual and v != usual[n] and v is not None}
    name = type(reference).__name__
    return [
        f"by default {n} = {v!r}, that of {name} is {usual[n]!r}" for n, v in other.items() if not isinstance(v, type)
    ]
