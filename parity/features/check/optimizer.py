"""Any optimizer class: which reference it is, what its decay is, and what else it does.

The class runs in a process of its own (:mod:`parity.features.check.examine`) on a few feeds
(:mod:`parity.explain.feeds`); here only arrays arrive. Held to a reference by name, or to the one that fits,
every recorded number must lie within its tolerance, in each dtype. Where none fits, what was measured is said and
nothing is judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from parity.explain.feeds import Played, decay_of, rate_of
from parity.explain.finding import CheckVerdict, Diagnosis, Finding, JudgedDtype
from parity.explain.joint import joined
from parity.explain.replay import share_of
from parity.explain.update.references import shown
from parity.features.check import findings
from parity.features.check import notes as notes_on
from parity.features.check.assumed import ANY, as_assumed, assumed, why_assumed
from parity.features.check.eigenbases import unshown, with_names
from parity.features.check.examined import Examined
from parity.features.check.held import motions, needs_products, of_shapes, parse_against, wanted
from parity.features.check.identify import Held, Identification, Judgement, identify, judge
from parity.features.check.invariance import facts
from parity.features.check.jointly import downhill, is_joint
from parity.features.check.life.judged import LifeVerdict, judge_life
from parity.features.check.narrow import of_float64
from parity.features.check.orthogonal import unrecorded
from parity.features.check.sam import NOT_BACK, with_second_gradients
from parity.features.check.states import of_states
from parity.features.check.target import Target
from parity.features.check.worker import TheirError, run
from parity.judge.undecidable import variants
from parity.output import Progress
from parity.step.expected import in_use
from refimpl.errors import RefimplError
from refimpl.optimizers.wrappers import SAM
from refimpl.types import Optimizer

STAGES = 2
"""The class is run; its steps are explained."""


def check_optimizer(
    target: Target,
    hyper: Mapping[str, Any],
    *,
    against: str | None = None,
    state: Mapping[str, str] | None = None,
    dtypes: Sequence[str] = ("float64", "float32"),
    device: str = "cpu",
    limit: float = 120.0,
    progress: Progress | None = None,
) -> Diagnosis | None:
    """Run an optimizer in a process of its own and say what it is; None of a training function.

    ``against``: the reference that it must be, ``"adamw"`` or ``"sgd(nesterov=False)"``; hyper-parameters that both
    know go to both; ``"any"``: whichever fits; by default that of its name or its base, where these say one.
    ``state``: which tensor of its state is held to which of the reference's. ``dtypes``: in which it is judged; it runs
    in float64, too, by which it is recognised and explained. Raises :class:`InputError` for what is no optimizer class,
    or no reference.
    """
    if against not in (None, ANY):
        parse_against(str(against))
    if progress:
        progress(0, STAGES, "running the class on drawn gradients")
    try:
        words = (target, dict(hyper), bool(hyper or against), tuple(dtypes), device, needs_products(against))
        examined: Examined | None = run("parity.features.check.examine:examine_target", *words, limit=limit)
    except TheirError as error:
        said = str(error).splitlines()[-1]
        notes = (str(error),)
        return Diagnosis(verdict="error", text=f"it raises {said}", against=against or "", share=math.inf, notes=notes)
    return conclude(examined, hyper, against, state, progress) if examined is not None else None


def conclude(
    examined: Examined,
    hyper: Mapping[str, Any],
    against: str | None = None,
    state: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """What the runs of a class show. Raises :class:`InputError` for a reference that does not take what was asked."""
    if not examined.shapes:
        text = f"it does not take what every optimizer is fed here: {examined.refusal}"
        return Diagnosis(verdict="unsupported", text=text, against=against or "", share=math.inf)
    demand = parse_against(str(against)) if against not in (None, ANY) else None
    of_name, why = assumed(examined) if against is None else ("", "")
    examined = replace(examined, state=state or {})
    if progress:
        name = str(against) if demand else of_name
        progress(1, STAGES, f"holding its steps to {name}" if name else "looking for the reference that steps so")
    if demand is not None:
        reference = wanted(demand, hyper, examined.given)
        if isinstance(reference, SAM):
            return _sam(with_second_gradients(examined, reference), reference)
        said = {**demand.own, **hyper, **(demand.inner.own if demand.inner else {})}
        each = of_shapes(reference, demand, hyper, examined)
        return _against(examined, reference, each, left_open="weight_decay" not in said)
    held = as_assumed(examined, of_name) if of_name else None
    if held is not None:
        of = (
            _held_to(examined, held.held, held.text, identity=held)
            if isinstance(held, Identification)
            else _against(examined, held, of_shapes(held, None, hyper, examined))
        )
        return replace(of, notes=(why_assumed(why, held, examined.given), *of.notes))
    identity, nearest = identify(examined)
    if identity is not None:
        return _held_to(examined, identity.held, identity.text, identity=identity)
    return _unknown(examined, nearest)


def _sam(second: Examined, sam: SAM) -> Diagnosis:
    """The steps with their second gradients, held to the inner optimizer."""
    held = _held_to(second, dict.fromkeys(second.parameters, sam.inner), shown(sam))
    if not any(one.id == NOT_BACK for one in held.findings):
        return held
    kept = tuple(one for one in held.findings if one.id != "update")  # which that explains
    return replace(held, findings=kept, text="; ".join(one.short or one.text for one in kept))


def _against(examined: Examined, reference: Optimizer, held: Held, *, left_open: bool = False) -> Diagnosis:
    """The parameters ``held`` to one reference, those apart that it has not."""
    label = " and ".join(dict.fromkeys(shown(one) for one in held.values()))
    examined = with_names(examined, held)
    if unseen := unrecorded(held, examined.runs["drawn"]) or unshown(held, examined.runs["drawn"]):
        return Diagnosis(verdict="undecidable", text=unseen, against=label, share=math.inf, notes=examined.notes)
    return _held_to(examined, held, label, reference=reference, left_open=left_open)


def _held_to(
    examined: Examined,
    held: Held,
    label: str,
    *,
    reference: Optimizer | None = None,
    identity: Identification | None = None,
    left_open: bool = False,
) -> Diagnosis:
    """Against the ``reference`` that was demanded, or the one that it is by its ``identity``.

    ``left_open``: whether nothing was said of the weight decay, so that the class must follow the reference with one.
    """
    wide = judge(held, examined.runs["drawn"], "float64", float32=examined.keeps_float32)
    every = {
        dtype: wide if dtype == "float64" else judge(held, played, dtype, float32=examined.keeps_float32)
        for dtype, played in examined.dtypes.items()
    }
    judged = {dtype: one for dtype, one in every.items() if one.bounded}
    boundless = notes_on.boundless(every)
    if not judged and every:
        return _open(examined, label, boundless)
    share = max((one.share for one in judged.values()), default=math.inf)
    narrow = of_float64(held, examined.runs["drawn"], wide, torchs=examined.torchs) if "float64" in judged else None
    if narrow is not None:
        all_findings = [narrow]
    elif wide.share > 1 and share > 1:
        all_findings = findings.of_update(held, examined.runs["drawn"], wide)
    else:
        of_numbers = findings.of_numbers(identity, examined.given) if identity and wide.share <= 1 else ()
        all_findings = [*of_numbers, *findings.of_dtypes(judged, examined.raised, label)]
    all_findings += _downhill(examined, held) if wide.share <= 1 else []
    all_findings += examined.faults
    agreeing = ["float64", *(dtype for dtype, one in judged.items() if one.share <= 1)]
    life = judge_life(examined, held, agreeing, shown=wide.scalar == "float32") if wide.share <= 1 else None
    all_findings += life.findings if life else ()
    of_state, numbers = of_states(examined, held) if share <= 1 else ([], 0)
    all_findings += of_state
    decayed = _when_decayed(examined, held) if wide.share <= 1 else []
    if left_open and decayed:
        change = "give a weight_decay to compare the decay alone, or weight_decay = 0 to leave it out"
        all_findings.append(
            Finding(id="decay-when-on", text=decayed[0], evidence="a run with that decay", change=change)
        )
    runs = [(dtype, examined.dtypes[dtype]) for dtype in judged]
    runs += [("float64", played) for played in downhill(examined)] if is_joint(held) else []
    unseen = () if share > 1 else _unseen(held, runs)
    verdict: CheckVerdict = "disagree" if all_findings or share > 1 else "undecidable" if unseen else "agree"
    notes = [
        *examined.notes,
        *boundless,
        *(notes_on.beyond(label, wide) if share <= 1 < wide.share else ()),
        *(decayed if share <= 1 and not left_open else ()),
        *(life.notes if life else ()),
        *(notes_on.scalars(judged) if narrow is None else ()),
        *(notes_on.held_state(examined, numbers) if share <= 1 else ()),
        *(notes_on.defaults(examined, reference) if reference else ()),
    ]
    return Diagnosis(
        verdict=verdict,
        text=_text(verdict, label, judged, all_findings, unseen, life),
        against=label,
        share=share,
        family=label if share <= 1 else "",
        findings=tuple(all_findings),
        unseen=unseen,
        notes=tuple(notes),
        residual={f"{dtype}, {label}": one.steps for dtype, one in judged.items()},
        dtypes=tuple(JudgedDtype(dtype, len(one.steps), one.count, one.share) for dtype, one in judged.items()),
    )


def _open(examined: Examined, label: str, boundless: Sequence[str]) -> Diagnosis:
    """No number of the steps has a bound in any dtype: what it must not do is judged alone."""
    all_findings = (*examined.faults, *findings.of_dtypes({}, examined.raised, label))
    return Diagnosis(
        verdict="disagree" if all_findings else "undecidable",
        text="; ".join([*(one.short or one.text for one in all_findings), *boundless]),
        against=label,
        share=math.inf,
        findings=all_findings,
        notes=examined.notes,
    )


def _unknown(examined: Examined, nearest: str) -> Diagnosis:
    """No reference fits: what was measured, and what it must not do."""
    all_findings = [*examined.faults, *findings.of_dtypes({}, examined.raised, "")]
    known = facts(examined.runs, rate_of(examined.given), decay_of(examined.given))
    key, _ = assumed(examined)
    notes = [
        *examined.notes,
        *known,
        f"--against {key or 'NAME'} holds it to one reference and says what it does instead",
    ]
    return Diagnosis(
        verdict="disagree" if all_findings else "undecidable",
        text="; ".join([f"no reference steps so: {nearest}", *(finding.text for finding in all_findings)]),
        against="",
        share=math.inf,
        findings=tuple(all_findings),
        notes=tuple(notes),
    )


def _downhill(examined: Examined, held: Held) -> list[Finding]:
    """What is wrong where an estimated distance grows, of a class that is held to a reference with one."""
    played = downhill(examined) if is_joint(held) else []
    judged = [(run, judge(held, run, "float64", float32=examined.keeps_float32)) for run in played]
    return [finding for run, one in judged if one.share > 1 for finding in findings.of_update(held, run, one)]


def _off(examined: Examined, held: Held, feed: str) -> list[str]:
    """The differences of a run from that of the references; empty where there are none."""
    judged = judge(held, examined.runs[feed], "float64", float32=examined.keeps_float32)
    if judged.share <= 1:
        return []
    off = findings.of_update(held, examined.runs[feed], judged)
    return [finding.short or finding.text for finding in off] or [judged.first]


def _when_decayed(examined: Examined, held: Held) -> list[str]:
    """What a class that steps as asked does when its weight decay, which was off, is switched on."""
    lam = decay_of(examined.given)
    if (
        "decayed" not in examined.runs
        or lam is None
        or not all("weight_decay" in vars(optimizer) for optimizer in held.values())
    ):
        return []
    try:
        decayed: Any = {name: replace(optimizer, weight_decay=lam) for name, optimizer in held.items()}  # type: ignore[type-var]
    except RefimplError:
        return []
    said = "; ".join(_off(examined, decayed, "decayed"))
    return [f"with weight_decay = {lam:g}, which is off here, it is not the same any more: {said}"] if said else []


def _unseen(held: Held, runs: Sequence[tuple[str, Played]]) -> tuple[str, ...]:
    """Hyper-parameters that could have a neutral value without leaving the tolerance, in all dtypes that are judged."""
    hidden: list[str] | None = None
    for dtype, played in runs:
        recorded = motions(played, dtype)
        others = [{name: other for name, _, other in variants(held[motion.parameter])} for motion in recorded]
        names = dict.fromkeys(name for some in others for name in some) if hidden is None else hidden
        hidden = []
        for name in names:
            pairs = zip(others, recorded, strict=True)
            rules = {m.parameter: some.get(name, held[m.parameter]) for some, m in pairs}
            having = [
                m for some, m in zip(others, joined(rules, recorded, kept=played.kept), strict=True) if name in some
            ]
            if all(share_of(rules[motion.parameter], [motion]) <= 1 for motion in having):
                hidden.append(name)
    return tuple(hidden or ())


# -- words -------------------------------------------------------------------------------------------------------------


def _text(
    verdict: str,
    label: str,
    judged: Mapping[str, Judgement],
    all_findings: Sequence[Finding],
    unseen: Sequence[str],
    life: LifeVerdict | None,
) -> str:
    if all_findings:
        return "; ".join(finding.short or finding.text for finding in all_findings)
    if verdict == "disagree":
        dtype, one = next((dtype, one) for dtype, one in judged.items() if one.share > 1)
        return f"{dtype}: it is not {label}: {one.first}"
    count, share = sum(one.count for one in judged.values()), max(one.share for one in judged.values())
    within = f"{count:,} numbers in {' and '.join(judged)} within tolerance, {in_use(share)}"
    unsaid = f"; {', '.join(unseen)} cannot be seen in these steps" if unseen else ""
    lived = f"; so it is in {life.situations} situations of training" if life and life.situations else ""
    return f"it is {label}: {within}{lived}{unsaid}"
