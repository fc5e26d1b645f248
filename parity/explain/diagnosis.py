"""Everything that a recorded run shows against an experiment: verdict, law, findings, and what each difference did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parity.experiment import Experiment
from parity.explain.asked import laws_beside
from parity.explain.design import Design, as_asked
from parity.explain.effects import Change, Effects, effects
from parity.explain.finding import CheckVerdict, Diagnosis, Finding
from parity.explain.initial import Start, starts
from parity.explain.other import other_optimizer
from parity.explain.pattern import patterns, which
from parity.explain.predict import Predictions
from parity.explain.record import Recording, narrower, recording_of, said_in, with_zeros, without_still
from parity.explain.recorded import as_far_as, reported_seldom
from parity.explain.reported import reported
from parity.explain.search import Candidate, Explanation, Search, search
from parity.judge.undecidable import neutral
from refimpl.trajectory import Trajectory
from refimpl.types import Array


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # of a run that diverges
def diagnose(experiment: Experiment, trajectory: Trajectory, *, pairs: bool = True) -> Diagnosis:
    """Hold a run whose weights were recorded to an experiment, and say what differs and why."""
    design = as_asked(experiment)
    trajectory, missing = with_zeros(trajectory, design.material.params)
    said = recording_of(trajectory)[0]
    if not said.steps:
        text = "the weights are not finite after the first step"
        return Diagnosis(verdict="disagree", text=text, against=experiment.name, share=math.inf)
    asked, read_as = design, tuple(trajectory.meta.get("notes", ()))
    if trajectory.steps < design.steps:
        if (seldom := reported_seldom(experiment.name, design, said)) is not None:
            return seldom
        design, read_as = as_far_as(design, said, read_as)
    trajectory, found = _searched(design, trajectory, said, pairs=pairs)
    whole, finite = recording_of(trajectory)
    recording = without_still(whole)
    kept_in = [_precision(recording.dtype, said)] if recording.dtype != said.dtype else []
    predictions = Predictions(recording)
    first = {name: values[:1] for name, values in recording.weights.items() if name not in missing}
    begin = starts(design.material.params, first, design.material.dataset.X.shape[2], recording.dtype)
    best = found.classes[0] if found.classes else ()
    if "bias" in missing:  # a bias that nobody has seen is rather not there than frozen
        best = tuple(sorted(best, key=lambda one: "intercept-missing" not in one.ids))
    findings = [*_findings(found, best, recording), *(_start(one) for one in begin), *kept_in]
    findings += _stopped(found, design, whole, recording)
    wrong = found.share > 1
    notes = [*read_as]
    notes += [f"{name} was never reported and counts as 0" for name in missing] + _form(trajectory)
    if not wrong and recording.loss is not None:
        of_loss, notes_on_loss = reported(design, predictions)
        findings, notes = findings + of_loss, notes + notes_on_loss
    unexplained = wrong and not best
    if unexplained and trajectory.meta.get("assumed start"):
        findings += _unreported_start(design, predictions)
        notes.append("nothing was reported before the first step: if weights may start elsewhere, report them there")
    if unexplained and not findings and pairs:
        findings += other_optimizer(design, predictions)
    where = patterns(_expected(predictions, design, found)) if unexplained and not findings else []
    exact = finite and recording.steps == asked.steps and not recording.written
    laws, words = laws_beside(experiment, trajectory) if exact else ((), ())
    did = _effects(design, best, begin, recording)
    if did is not None:
        findings = sorted(findings, key=lambda one: -_weight(did, one.id))
    unseen = () if findings or wrong else _unseen(design, predictions)
    verdict: CheckVerdict = "disagree" if findings or wrong or not finite else "undecidable" if unseen else "agree"
    return Diagnosis(
        verdict=verdict,
        against=experiment.name,
        text=_text(verdict, findings, found, unseen, recording, design, finite),
        share=found.share,
        laws=tuple(laws),
        words=tuple(words),
        family=""
        if laws or (wrong and not best)
        else repr((best[0].design if best else design).form.optimizers["weight"]),
        findings=tuple(findings),
        patterns=tuple(where),
        effects=did,
        unseen=unseen,
        notes=tuple(notes),
        residual=_residual(design, best, predictions),
        search=found,
    )


def _searched(design: Design, trajectory: Trajectory, said: Recording, *, pairs: bool) -> tuple[Trajectory, Search]:
    """What explains the run, and the run in a narrower format than it said, where its weights are and that does it."""
    narrow = narrower(said)
    if narrow != "float32":  # which no other fault leaves behind
        found = search(design, without_still(said), pairs=pairs)
        if narrow is None or found.share <= 1 or found.classes:
            return trajectory, found
    if narrow is not None and Predictions(said).share(design, enough=1.0) > 1:
        trajectory = said_in(trajectory, narrow)
    return trajectory, search(design, without_still(recording_of(trajectory)[0]), pairs=pairs)


def _form(trajectory: Trajectory) -> list[str]:
    form = float(trajectory.meta.get("form", 1.0))
    return (
        [f"tolerances are {form:g} times those of torch's own code: the algebraic form is unknown"] if form != 1 else []
    )


def _findings(found: Search, best: Sequence[Explanation], recording: Recording) -> list[Finding]:
    """The faults of the first explanation, each with those that may stand in its place."""
    if not best:
        return []
    numbers = sum(values[1:].size for values in recording.weights.values())
    these = "this" if len(best[0].faults) == 1 else f"these {len(best[0].faults)}"
    evidence = (
        f"correct code is off by {found.share:.3g} times the tolerance; with {these}, all {numbers:,} numbers of "
        f"{recording.steps} steps lie within it, the worst at {best[0].share:.2f}"
    )
    findings = []
    for position, fault in enumerate(best[0].faults):
        others = [one.faults[position] for one in best[1:] if _rest(one, position) == _rest(best[0], position)]
        alike = {other.id: other.text for other in others if other.id != fault.id}
        hypothesis = fault.hypothesis
        findings.append(
            Finding(
                id=fault.id,
                text=fault.text,
                evidence=evidence,
                change=hypothesis.change,
                probe=hypothesis.probe,
                alike=alike,
            )
        )
    return findings


def _rest(explanation: Explanation, position: int) -> tuple[str, ...]:
    """The other faults of an explanation."""
    return explanation.ids[:position] + explanation.ids[position + 1 :]


def _unreported_start(design: Design, predictions: Predictions) -> list[Finding]:
    """Where all is right but the first step, which was taken to start from the weights that were handed out."""
    if design.steps != predictions.recording.steps:
        return []
    first = [piece for piece in predictions.expected(design) if int(piece.steps[0]) == 0]
    later = [piece for piece in predictions.expected(design) if int(piece.steps[0]) > 0]
    if any((piece.share > 1).any() for piece in later):
        return []
    worst = max(float(np.max(piece.share, initial=0)) for piece in first)
    return [
        Finding(
            id="initial-unreported",
            text="it does not start from the weights that were handed out",
            evidence=f"the first step is off by {worst:.3g} times the tolerance, all later ones lie within it",
            change="copy task.weight and task.bias into the model, and call task.record(net) before the first step",
        )
    ]


def _stopped(found: Search, design: Design, whole: Recording, recording: Recording) -> list[Finding]:
    """Elements that never moved and should have, by the best explanation of all others."""
    best = found.classes[0][0].design if found.classes else design if found.share <= 1 else None
    if best is None or not recording.ignored:
        return []
    worst = dict.fromkeys(recording.ignored, 0.0)
    for piece in Predictions(whole).expected(best):
        name = piece.quantity.partition(" ")[2]
        worst[name] = max(worst.get(name, 0.0), float(np.max(piece.share, initial=0)))
    return [_never_moved(name, chosen, worst[name]) for name, chosen in recording.ignored.items() if worst[name] > 1]


def _never_moved(name: str, chosen: Array, share: float) -> Finding:
    return Finding(
        id=f"elements-not-updated ({name})",
        text=f"{which(chosen)} of {name} is never updated",
        evidence=f"it has its initial value to the end, which is off by {share:.3g} times the tolerance",
        change="look for an index that stops short, a mask, or a kernel that skips a remainder",
    )


def _precision(format: str, recording: Recording) -> Finding:
    numbers = sum(values.size for values in recording.weights.values())
    return Finding(
        id=f"precision-{format}",
        text=f"the run is in {format}, not in {recording.dtype}",
        evidence=f"each of the {numbers:,} recorded numbers is a {format} number",
        change=f"make model and data {recording.dtype}: dtype=torch.{recording.dtype}",
    )


def _start(start: Start) -> Finding:
    change = (
        f"set {start.parameter} once the layer has its shape (in its constructor a lazy layer has none), and look at "
        "it before the first step"
    )
    return Finding(id=f"{start.id} ({start.parameter})", text=start.text, evidence=start.evidence, change=change)


def _unseen(design: Design, predictions: Predictions) -> tuple[str, ...]:
    """Hyper-parameters that could have a neutral value without leaving the tolerance."""
    others = [(name, replace(design, form=form)) for name, form in neutral(design.form)]
    return tuple(name for name, other in others if predictions.share(other, enough=1.0) <= 1)


def _residual(design: Design, best: Sequence[Explanation], predictions: Predictions) -> dict[str, Array]:
    """The largest error ÷ allowance after each step, of correct code and of the first explanation."""
    held = {"as asked": design} | ({" and ".join(best[0].ids): best[0].design} if best else {})
    found = {}
    for label, one in held.items():
        if one.steps == predictions.recording.steps:
            found[label] = np.zeros(one.steps)
            for piece in predictions.expected(one):
                k = int(piece.steps[0])
                found[label][k] = max(found[label][k], float(np.max(piece.share, initial=0)))
    return found


def _expected(predictions: Predictions, design: Design, found: Search) -> list[Any]:
    """Of what comes nearest, or of correct code."""
    nearest: Candidate | None = found.nearest
    closer = nearest is not None and nearest.distance < 0.1 * found.distance
    chosen = nearest.design if nearest is not None and closer else design
    return list(predictions.expected(chosen)) if chosen.steps == predictions.recording.steps else []


def _effects(
    design: Design, best: Sequence[Explanation], begin: Sequence[Start], recording: Recording
) -> Effects | None:
    """Of every finding on the end of the run."""
    if best and best[0].design.steps != design.steps:
        return None
    differences: dict[str, Change] = {f"{one.id} ({one.parameter})": _begun(one.parameter, recording) for one in begin}
    for fault in best[0].faults if best else ():
        differences[fault.id] = fault.apply
    if best and best[0].faults[0].hypothesis.id in ("targets-shuffled", "batches-other-order"):
        solved = best[0].design.material
        differences[best[0].ids[0]] = lambda d: d.with_order(solved.order).with_data(y=solved.dataset.y)
    return effects(design, differences)


def _begun(parameter: str, recording: Recording) -> Change:
    """The initial weights of one parameter as recorded."""
    start: Array = recording.weights[parameter][:1]

    def change(design: Design) -> Design:
        params: Mapping[str, Array] = {**design.material.params, parameter: start}
        return replace(design, material=replace(design.material, params=params))

    return change


def _weight(did: Effects, id: str) -> float:
    return next((abs(effect.share) for effect in did.each if effect.name == id), 0.0)


def _text(
    verdict: str,
    findings: Sequence[Finding],
    found: Search,
    unseen: Sequence[str],
    recording: Recording,
    design: Design,
    finite: bool,
) -> str:
    if verdict == "agree":
        numbers = sum(values.size for values in recording.weights.values())
        return f"{numbers:,} numbers within tolerance, at most {found.share:.2f} of it used"
    if verdict == "undecidable":
        return f"agrees, except that {', '.join(unseen)} cannot be seen in this run"
    if findings:
        return "; ".join(one.text for one in findings)
    if not finite:
        return f"the weights are no longer finite after step {recording.steps - 1}"
    if recording.steps != design.steps:
        return (
            f"{recording.steps} steps were recorded, the experiment has {design.steps}, and nothing known explains it"
        )
    return f"off by {found.share:.3g} times the tolerance, and nothing known explains it"
