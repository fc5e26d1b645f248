"""A run of which fewer moments were reported than it has steps: stopped early, or reported once an epoch.

From the weights of each report the experiment's own steps are taken in running-error arithmetic until the next one, so
that what the rounding errors of the steps between may come to is known. The optimizer's state is carried along from the
start of the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.explain.catalogue import NAMES
from parity.explain.cause import FAR, VERIFIED, cause_of, named
from parity.explain.finding import CheckVerdict, Diagnosis, Finding, finding
from parity.explain.pattern import which
from parity.explain.readings import all_rows, nearest_loss, spacings, usual_loss
from parity.judge.undecidable import unseen
from parity.step.after import replayed
from parity.step.design import Design, joining
from parity.step.engine import Engine, under
from parity.step.expected import Expected, Quantity, expect, in_use
from parity.step.free import simulate
from parity.step.passes import Pass
from parity.step.recording import Recording, without_still
from refimpl.arithmetic.bounded import Bounded
from refimpl.trajectory import Trajectory
from refimpl.types import Array


@dataclass(frozen=True)
class Replay:
    """``updates``: what the weights of each report may be. ``losses``: by name, of every step ``(K,)``."""

    updates: Sequence[Expected]
    losses: dict[str, Bounded]

    @property
    def share(self) -> float:
        return max(float(np.max(piece.share, initial=0)) for piece in self.updates)

    @property
    def unknown(self) -> bool:
        """True where errors grew so far that nothing is held to a bound."""
        return any(np.isinf(piece.allowance).all() for piece in self.updates)


@np.errstate(all="ignore")
def replay(design: Design, recording: Recording, marks: Array) -> Replay:
    """``marks``: after how many steps each report was made, but for the first, which is the start."""
    engine = Engine(recording)
    loss, update = engine.arithmetic("loss"), engine.arithmetic("update")
    problem: Any = loss.hyper(design.form.in_gradient)
    inputs = engine.passes.inputs(design)
    report_after = {0: 0, **{int(mark): report for report, mark in enumerate(marks, 1)}}
    raw: list[dict[str, Any]] = []
    losses: list[tuple[Any, Any]] = []

    def before(k: int, made: dict[str, Any]) -> dict[str, Any]:
        if k not in report_after:
            return made
        now = slice(report_after[k], report_after[k] + 1)
        return {name: recording.before(name, now, update.profile) for name in recording.weights}

    def batch(name: str, rows: Array) -> Bounded:
        error = design.uncertain * loss.profile.u(loss.profile.compute) * np.max(np.abs(inputs[name]))
        return Bounded(inputs[name][:, rows], error, loss.profile)

    def gradient(k: int, params: dict[str, Any]) -> dict[str, Any]:
        own = under(params, loss)
        made = Pass(design, np.array([k]), problem, own, batch("X", design.rows[k]), batch("y", design.rows[k]))
        losses.append((made.loss, made.objective))
        raw.append(design.raw([k], problem, made.data_gradient, own))
        return under(design.seen([k], design.mixed(k, raw)), update)

    def step(name: str, k: int, param: Any, given: Any, state: Any) -> tuple[Any, Any]:
        return design.after(name, k, engine.optimizer(design, name, np.array([k]), update), param, given, state)

    updates = []
    join = joining(design, lambda name, k: engine.optimizer(design, name, np.array([k]), update))
    for k, made in enumerate(replayed(design.steps, before, gradient, step, join=join)):
        if (report := report_after.get(k + 1)) is not None:
            now = slice(report, report + 1)
            for name, weights in recording.weights.items():
                piece = expect(
                    Quantity("update", name), np.array([k]), weights[now], made[name], recording.format(name)
                )
                updates.append(piece.widened(recording.half_unit(name)[now]))
    names = ("loss", "objective")
    return Replay(updates, {name: _stacked([each[i] for each in losses]) for i, name in enumerate(names)})


def _stacked(losses: Sequence[Any]) -> Bounded:
    """One loss of each step as an array."""
    value, error = (np.concatenate([getattr(one, part) for one in losses]) for part in ("value", "error"))
    return Bounded(value, error, losses[0].profile)


def as_far_as(
    design: Design, recording: Recording, notes: tuple[str, ...], others: int = 0
) -> tuple[Design, tuple[str, ...]]:
    """Correct code that stops where the reports do, and ``notes`` with one more that says so.

    ``others``: how many steps another layer of this shape made after the last one that was recorded.

    The design itself where all was reported, and where a known fault explains the run, which makes so few steps.
    """
    if recording.steps >= design.steps:
        return design, notes
    cut, engine = design.first(recording.steps), Engine(without_still(recording))
    if engine.share(cut, enough=1.0) > 1 and not (notes and recording.steps == design.steps - 1):
        return design, notes  # where it stops is one of the causes
    if notes and recording.steps == design.steps - 1:  # it is the last one that was not reported
        return cut, notes
    judged = f"stopped after {recording.steps} of {design.steps} steps: what was recorded is judged"
    if others:
        judged = (
            f"{recording.steps} of {design.steps} steps are judged; another layer of this shape made {others} more, "
            "which are not: it does not begin with the weights that this one ended with"
        )
    return cut, (*notes, judged)


def reported_seldom(name: str, design: Design, recording: Recording) -> Diagnosis | None:
    """The diagnosis of a run that was reported once an epoch, or every n-th step; None for any other."""
    fitting = [(what, marks) for what, marks in spacings(design) if len(marks) == recording.steps]
    if not fitting:
        return None
    begun = Engine(without_still(recording)).share(design.first(recording.steps))
    if begun <= 1:
        return None
    replays = [replay(design, recording, marks) for _, marks in fitting]
    nearest = int(np.argmin([one.share for one in replays]))
    if replays[nearest].share >= begun:
        return None
    what, marks = fitting[nearest]
    reports = f"{what} was made: {recording.steps} reports, {design.steps} steps"
    return _judged(name, design, recording, marks, replays[nearest], reports)


def _judged(name: str, design: Design, recording: Recording, marks: Array, replayed: Replay, reports: str) -> Diagnosis:
    share = replayed.share
    numbers = sum(values[1:].size for values in recording.weights.values())
    notes = [f"{reports}; the steps between them were replayed from each report"]
    findings: list[Finding] = []
    if share > 1:
        findings = _faults(design, recording, marks, share)
    elif recording.loss is not None:
        read, off = nearest_loss(replayed.losses.items(), design, recording, marks - 1)
        everything = all_rows(design.first(recording.steps))
        read = read if off <= 1 else usual_loss(everything, Engine(recording)).replace("after the step", "then")
        notes += [f"the loss of each report is {read}, at its last step"] if read else []
        if not read:
            text = "the loss that was reported is no usual quantity of the steps since the report before"
            findings.append(Finding(id="loss-reported", text=text, evidence=f"off by {off:.3g} times the tolerance"))
    wrong = share > 1 or bool(findings)
    hidden = () if wrong else unseen(design, lambda other: replay(other, recording, marks).share <= 1)
    verdict: CheckVerdict = "disagree" if wrong else "undecidable" if hidden or replayed.unknown else "agree"
    text = f"{numbers:,} numbers of {recording.steps} reports within tolerance, {in_use(share)}"
    if hidden:
        text = f"agrees, except that {', '.join(hidden)} cannot be seen in these reports"
    if replayed.unknown and not wrong:
        text = "rounding errors may grow beyond any bound from one report to the next: report every step"
    if wrong:
        nothing = f"{reports}, off by {share:.3g} times the tolerance, and nothing known explains it; report every step"
        text = findings[0].text if findings else nothing
    return Diagnosis(
        verdict=verdict,
        text=text,
        against=name,
        share=share,
        findings=tuple(findings),
        unseen=hidden,
        notes=tuple(notes),
    )


def _faults(design: Design, recording: Recording, marks: Array, share: float) -> list[Finding]:
    """The named faults that bring all reports inside the tolerance: the first, and what is like it."""
    near = []
    for fault, changed in named(design):
        if changed.steps == design.steps and (off := _distance(changed, recording, marks)) < FAR:
            near.append((off, fault, changed))
    near = sorted(near, key=lambda one: one[0])[:VERIFIED]
    fitting = [fault for _, fault, changed in near if replay(changed, recording, marks).share <= 1]
    if not fitting:
        return []
    first, *rest = fitting
    evidence = f"correct code is off by {share:.3g} times the tolerance; with this, every report lies within it"
    alike = {fault.id: fault.text for fault in rest if fault.id != first.id}
    change, probe = first.name.change, "report every step"
    return [Finding(id=first.id, text=first.text, evidence=evidence, change=change, probe=probe, alike=alike)]


def _distance(design: Design, recording: Recording, marks: Array) -> float:
    """How far a float64 run from report to report is off, over the roundings of the largest number of each tensor."""
    worst = [0.0]

    def back(step: int, after: Mapping[str, Array]) -> dict[str, Array]:
        if step + 1 not in marks:
            return dict(after)
        report = 1 + int(np.flatnonzero(marks == step + 1)[0])
        recorded = {name: values[report : report + 1] for name, values in recording.weights.items()}
        for name, values in recorded.items():
            room = recording.profiles["update"].u(recording.format(name)) * np.max(np.abs(values))
            room = room + np.max(recording.half_unit(name)[report])
            worst.append(float(np.max(np.abs(after[name] - values)) / max(room, 1e-300)))
        return recorded

    start = {name: values[:1] for name, values in recording.weights.items()}
    simulate(replace(design, material=replace(design.material, params=start)), push=back)
    return max(worst)


def reported(design: Design, engine: Engine) -> tuple[list[Finding], list[str]]:
    """What is wrong with the recorded losses: a finding, or a note where they are another usual quantity."""
    shares = engine.loss_shares(design)
    if not shares or min(shares.values()) <= 1:
        return [], []
    usual = usual_loss(design, engine)
    if usual:
        return [], [f"the loss that was reported is {usual}"]
    evidence = f"the weights agree, the recorded losses are off by {min(shares.values()):.3g} times the tolerance"
    for name in NAMES.values():
        fault = cause_of(name, name.values[0])
        changed = fault.to(design) if name.kind in ("loss", "penalty") and not name.free else None
        if changed is not None and _explains(design, changed, engine):
            text = f"of the loss that was reported, not of the steps: {fault.text}"
            return [Finding(id=name.id, text=text, evidence=evidence, change=name.change)], []
    return [finding("loss-reported", evidence)], []


def _explains(design: Design, changed: Design, engine: Engine) -> bool:
    """Whether the recorded losses are those of a changed design, which are others than asked, not only less certain."""
    if min(engine.loss_shares(changed).values(), default=math.inf) > 1:
        return False
    asked = {str(piece.quantity): piece for piece in engine.losses(design)}
    fitting = [piece for piece in engine.losses(changed) if np.max(piece.share) <= 1]
    return any((np.abs(one.value - (its := asked[str(one.quantity)]).value) > its.allowance).any() for one in fitting)


def form_of(trajectory: Trajectory) -> list[str]:
    """A note on tolerances that are wider than those of torch's own code."""
    form = float(trajectory.meta.get("form", 1.0))
    text = f"tolerances are {form:g} times those of torch's own code: the algebraic form is unknown"
    return [text] if form != 1 else []


def where_resumed(at: Sequence[int], shares: Array | None) -> list[str]:
    """A note where the first step that is not as asked follows one of ``at``, before which the training is resumed.

    A schedule that was not restored shows one step later: the optimizer has the rate of the first one.
    ``shares``: the largest error ÷ allowance of each step, of correct code, if it has as many.
    """
    wrong = np.flatnonzero([] if shares is None else shares > 1)
    near = [step for step in at if len(wrong) and wrong[0] - step in (0, 1)]
    return (
        [f"the training is to be resumed before step {near[-1]}; the first that is not as asked is {wrong[0]}"]
        if near
        else []
    )


def never_moved(name: str, chosen: Array, share: float) -> Finding:
    """Elements of a parameter that have their initial values to the end."""
    id = "elements-not-updated"
    evidence = f"it has its initial value to the end, which is off by {share:.3g} times the tolerance"
    return finding(f"{id} ({name})", evidence, of=id, elements=which(chosen), name=name)
