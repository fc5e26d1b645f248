"""Everything that a recorded run shows against an experiment: verdict, links, findings, and what each of them did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from parity.experiment import Experiment
from parity.explain.effects import Change, Effects, effects
from parity.explain.finding import CheckVerdict, Diagnosis, Finding, JudgedDtype, finding
from parity.explain.initial import Start, nearly, starts
from parity.explain.measure.chain import chain_of, decays_itself
from parity.explain.measure.summary import Link, summary
from parity.explain.names import average
from parity.explain.names.averaged import readings
from parity.explain.names.update import rule_of
from parity.explain.observed import Observed
from parity.explain.pattern import patterns
from parity.explain.recorded import as_far_as, form_of, never_moved, reported, reported_seldom, where_resumed
from parity.explain.why import Explanation, explain
from parity.judge.undecidable import unseen
from parity.step.design import Design, as_asked
from parity.step.engine import Engine
from parity.step.expected import in_use
from parity.step.recording import Recording, narrower, recording_of, said_in, with_zeros, without_still
from refimpl.trajectory import Trajectory
from refimpl.types import Array


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # of a run that diverges
def diagnose(experiment: Experiment, trajectory: Trajectory, *, observed: Observed | None = None) -> Diagnosis:
    """Hold a run whose weights were recorded to an experiment, and say what differs and why."""
    design = as_asked(experiment)
    trajectory, missing = with_zeros(trajectory, design.material.params)
    said = recording_of(trajectory)[0]
    if not said.steps:
        text = "the weights are not finite after the first step"
        return Diagnosis(verdict="disagree", text=text, against=experiment.name, share=math.inf)
    read_as = tuple(trajectory.meta.get("notes", ()))
    if trajectory.steps < design.steps:
        seldom = reported_seldom(experiment.name, design, said)
        if seldom is None:
            design, read_as = as_far_as(design, said, read_as, 0 if observed is None else observed.others)
        elif seldom.verdict != "disagree" or seldom.findings or not explain(design, Engine(said)):
            return seldom  # else there are fewer steps, such as those of the full batch
    diagnosing = _Diagnosing(experiment, design, trajectory, missing, said, observed)
    narrow = narrower(said) if diagnosing.wrong else None
    if narrow is not None and not diagnosing.names_the_rounding:
        diagnosing = _Diagnosing(experiment, design, said_in(trajectory, narrow), missing, said, observed)
    diagnosis = diagnosing.run()
    return replace(diagnosis, notes=(*read_as, *diagnosis.notes))


class _Diagnosing:
    """One record; each method adds to what is said of it."""

    def __init__(
        self,
        experiment: Experiment,
        design: Design,
        trajectory: Trajectory,
        missing: Sequence[str],
        said: Recording,
        observed: Observed | None,
    ) -> None:
        self.experiment, self.design, self.trajectory = experiment, design, trajectory
        self.missing, self.said = missing, said
        self.whole, self.finite = recording_of(trajectory)
        self.recording = without_still(self.whole)
        self.engine = Engine(self.recording)
        self.observed = observed if self.recording.steps == trajectory.steps else None
        self.void = self._same_steps and all(np.isinf(piece.allowance).all() for piece in self.engine.pieces(design))
        self.share = 0.0 if self.void else self.engine.share(design)
        self.wrong = self.share > 1
        self.explanations = explain(design, self.engine, self.observed, experiment.resumed_at) if self.wrong else []
        simple = self.best is not None and self.best.named and self.best.fits_loss and len(self.best.causes) == 1
        self.averaged = self._averaged() if self.wrong and not simple else []
        if self.averaged:
            self.explanations = []

    @property
    def best(self) -> Explanation | None:
        return self.explanations[0] if self.explanations else None

    @property
    def names_the_rounding(self) -> bool:
        """Whether it is explained by weights that are rounded to a narrower format after each step."""
        ids = self.best.ids if self.best is not None else ()
        return any(id.startswith("precision-") and id.endswith("-weights") for id in ids)

    def run(self) -> Diagnosis:
        """Put the whole diagnosis together."""
        begin, near = self._starts()
        findings = [
            *(self.averaged or self._findings()),
            *(_start(one) for one in begin),
            *self._precision(),
            *self._stopped(),
            *average.findings(self.design.form.average, self.recording),
        ]
        unreported = [f"{name} was never reported and counts as 0" for name in self.missing]
        notes = unreported + near + form_of(self.trajectory)
        if not self.wrong and self.recording.loss is not None:
            of_loss, notes_on_loss = reported(self.design, self.engine)
            findings, notes = findings + of_loss, notes + notes_on_loss
        if self.wrong and self.best is None and self.trajectory.meta.get("assumed start"):
            findings += self._unreported_start()
            notes.append(
                "nothing was reported before the first step: if weights may start elsewhere, report them there"
            )
        if self.wrong and not findings:
            findings += self._described()
        residual = self._residual()
        notes += where_resumed(self.experiment.resumed_at, residual.get("as asked"))
        did = self._effects(begin)
        if did is not None:
            findings = sorted(findings, key=lambda one: -_weight(did, one.id))
        seen = findings or self.wrong
        hidden = ("anything",) if self.void else () if seen else unseen(self.design, self._agrees)
        disagrees = bool(findings) or self.wrong or not self.finite
        verdict: CheckVerdict = "disagree" if disagrees else "undecidable" if hidden else "agree"
        nothing = self.wrong and not findings
        return Diagnosis(
            verdict=verdict,
            against=self.experiment.name,
            text=self._text(verdict, findings, hidden),
            share=math.inf if self.void else self.share,
            links=self._links(),
            findings=tuple(findings),
            patterns=tuple(patterns(list(self.engine.pieces(self.design)))) if nothing and self._same_steps else (),
            effects=did,
            unseen=hidden,
            notes=tuple(notes),
            residual=residual,
            explanations=tuple(self.explanations),
            dtypes=self._judged,
        )

    @property
    def _judged(self) -> tuple[JudgedDtype, ...]:
        return () if self.void else (JudgedDtype(self.said.dtype, self.recording.steps, self._numbers, self.share),)

    def _agrees(self, other: Design) -> bool:
        """Whether all that was recorded may be of this design, too."""
        return self.engine.share(other, enough=1.0) <= 1 and average.agrees(other.form.average, self.recording)

    @property
    def _numbers(self) -> int:
        return sum(values.size for values in self.recording.weights.values())

    @property
    def _same_steps(self) -> bool:
        return self.design.steps == self.recording.steps

    def _links(self) -> tuple[Link, ...]:
        if not self._same_steps or self.design.form.clip is not None or self.design.form.freeze:
            return ()  # links are measured of gradients as the rows make them
        begins = self.best.design.begins if self.best is not None else {}
        links = summary(chain_of(replace(self.design, begins=begins), self.engine, self.observed))
        if not self.wrong and any(link.as_asked is False for link in links):
            return ()  # the run agrees: what was recorded is not the gradient that was used, or was used otherwise
        return links

    def _starts(self) -> tuple[list[Start], list[str]]:
        """Parameters that start elsewhere, and those that are some roundings off, in words."""
        asked, recording = self.design.material.params, self.recording
        first = {name: values[:1] for name, values in recording.weights.items() if name not in self.missing}
        features = self.design.material.dataset.X.shape[2]
        elsewhere = starts(asked, first, features, recording.dtype)
        near = [
            one
            for one in elsewhere
            if nearly(asked[one.parameter], first[one.parameter], recording.format(one.parameter))
        ]
        words = [f"{one.parameter} starts some roundings off what was asked, and is taken from there" for one in near]
        return [one for one in elsewhere if one not in near], words

    def _findings(self) -> list[Finding]:
        """The causes of the first explanation, each with those that may stand in its place."""
        best = self.best
        if best is None:
            return []
        numbers = sum(values[1:].size for values in self.recording.weights.values())
        these = "this" if len(best.causes) == 1 else f"these {len(best.causes)}"
        evidence = (
            f"correct code is off by {self.share:.3g} times the tolerance; with {these}, all {numbers:,} numbers of "
            f"{self.recording.steps} steps lie within it, the worst at {best.share:.2f}"
        )
        findings = []
        for position, cause in enumerate(best.causes):
            measured = f"; {cause.numbers} number{'s were' if cause.numbers > 1 else ' was'} measured for it"
            also = "".join([measured if cause.numbers else "", f"; {cause.evidence}" if cause.evidence else ""])
            alike = self._alike(best, position)
            alone = cause.id == "gradient-other" and len(best.causes) == 1
            findings.append(
                Finding(
                    id=cause.id,
                    text=cause.text + ("; the update made of it is as asked" if alone else ""),
                    evidence=evidence + also,
                    change=cause.change,
                    probe=cause.probe if alike else "",
                    alike=alike,
                )
            )
        return findings

    def _described(self) -> list[Finding]:
        """Where nothing explains the run: what is known of its gradients, and of what was made of them."""
        if not self._same_steps:
            return []
        chain = chain_of(self.design, self.engine, self.observed)
        recorded = chain.given is not None and chain.given.source != "weights"
        explained = rule_of(chain, self.design)
        if explained is None or not explained.structure:
            return []
        as_asked = recorded and chain.as_asked("weight") and chain.as_asked("total_bias")
        gradient = "the gradients are as asked, the update made of them is not"
        if not as_asked:
            gradient = "beside the step that the asked gradients make"
            if chain.given is not None and chain.given.source == "optimizer" and not decays_itself(self.observed):
                gradient = "neither the gradients nor what is made of them are as asked"
        asked = type(self.design.form.optimizers["weight"]).__name__
        used = self.observed.optimizer.get("weight", "") if self.observed is not None else ""
        if used and used.lower() != asked.lower():
            gradient = f"the optimizer is {used}, asked {asked}; {gradient}"
        evidence = f"correct code is off by {self.share:.3g} times the tolerance, and nothing that is known explains it"
        return [finding("update-other", evidence, gradient=gradient, structure="; ".join(explained.structure))]

    def _averaged(self) -> list[Finding]:
        """Whether a running average of weights that are as asked was recorded."""
        for words, trained in readings(self.design, self.engine):
            design = self.design if trained.steps == self.design.steps else self.design.first(trained.steps)
            share = Engine(trained).share(design, enough=1.0)
            first = {name: values[: trained.steps + 1] for name, values in self.recording.weights.items()}
            as_wide = replace(trained, weights=first)  # the same room without an average
            if share <= 1 < Engine(as_wide).share(design, enough=1.0):
                evidence = f"correct code is off by {self.share:.3g} times the tolerance; the weights that these "
                return [finding("weights-averaged", f"{evidence}averages are of use {share:.2f} of it", words=words)]
        return []

    def _alike(self, best: Explanation, position: int) -> dict[str, str]:
        """Named causes that may stand in the place of one, the others being the same."""
        alternatives = {}
        for other in self.explanations[1:]:
            same = len(other.causes) == len(best.causes) and other.named and other.fits_loss == best.fits_loss
            rest = same and _without(other.ids, position) == _without(best.ids, position)
            measured = len(other.causes) > position and other.causes[position].numbers > best.causes[position].numbers
            if rest and not measured and other.ids[position] != best.ids[position]:
                alternatives[other.ids[position]] = other.causes[position].text
        return alternatives

    def _precision(self) -> list[Finding]:
        """A run that is in a narrower format than it says."""
        if self.recording.dtype == self.said.dtype:
            return []
        numbers = sum(values.size for values in self.said.weights.values())
        kept = self.recording.dtype
        evidence = f"each of the {numbers:,} recorded numbers is a {kept} number"
        return [finding(f"precision-{kept}", evidence, of="precision", kept=kept, said=self.said.dtype)]

    def _stopped(self) -> list[Finding]:
        """Elements that never moved and should have, by the explanation of all others."""
        design = self.best.design if self.best is not None else None if self.wrong else self.design
        if design is None or not self.recording.ignored:
            return []
        worst = dict.fromkeys(self.recording.ignored, 0.0)
        for piece in Engine(self.whole).expected(design):
            name = piece.quantity.parameter
            worst[name] = max(worst.get(name, 0.0), float(np.max(piece.share, initial=0)))
        chosen = self.recording.ignored.items()
        return [never_moved(name, some, worst[name]) for name, some in chosen if worst[name] > 1]

    def _unreported_start(self) -> list[Finding]:
        """Where all is right but the first step, which was taken to start from the weights that were handed out."""
        if not self._same_steps:
            return []
        pieces = list(self.engine.pieces(self.design))
        if any((piece.share > 1).any() for piece in pieces if int(piece.steps[0]) > 0):
            return []
        worst = max(float(np.max(piece.share, initial=0)) for piece in pieces if int(piece.steps[0]) == 0)
        evidence = f"the first step is off by {worst:.3g} times the tolerance, all later ones lie within it"
        return [finding("initial-unreported", evidence)]

    def _residual(self) -> dict[str, Array]:
        """The largest error ÷ allowance after each step, of correct code and of the first explanation."""
        held = {"as asked": self.design}
        if self.best is not None:
            held[" and ".join(self.best.ids)] = self.best.design
        shares = {}
        for label, one in held.items():
            if one.steps == self.recording.steps:
                shares[label] = np.zeros(one.steps)
                for piece in self.engine.pieces(one):
                    k = int(piece.steps[0])
                    shares[label][k] = max(shares[label][k], float(np.max(piece.share, initial=0)))
        return shares

    def _effects(self, begin: Sequence[Start]) -> Effects | None:
        """The effect of every finding on the end of the run; None where one of them is of the recorded weights only."""
        best = self.best
        if best is not None:
            made = best.design
            tied = made.steps != self.design.steps or made.at or made.given or made.begins or made.ends
            if tied or not best.named:
                return None
        differences: dict[str, Change] = {f"{one.id} ({one.parameter})": self._begun(one.parameter) for one in begin}
        for cause in best.causes if best is not None else ():
            differences[cause.id] = cause.apply
        return effects(self.design, differences)

    def _begun(self, parameter: str) -> Change:
        """The initial weights of one parameter as recorded."""
        start: Array = self.recording.weights[parameter][:1]

        def change(design: Design) -> Design:
            params: Mapping[str, Array] = {**design.material.params, parameter: start}
            return replace(design, material=replace(design.material, params=params))

        return change

    def _text(self, verdict: str, findings: Sequence[Finding], unseen: Sequence[str]) -> str:
        if verdict == "agree":
            return f"{self._numbers:,} numbers within tolerance, {in_use(self.share)}"
        if verdict == "undecidable":
            void = f"rounding in {self.recording.dtype} may lead anywhere: nothing can be seen in this run"
            return void if self.void else f"agrees, except that {', '.join(unseen)} cannot be seen in this run"
        if findings:
            return "; ".join(one.text for one in findings)
        if not self.finite:
            return f"the weights are no longer finite after step {self.recording.steps - 1}"
        if not self._same_steps:
            steps = f"{self.recording.steps} steps were recorded, the experiment has {self.design.steps}"
            return f"{steps}, and nothing known explains it"
        return f"off by {self.share:.3g} times the tolerance, and nothing known explains it"


def _without(ids: tuple[str, ...], position: int) -> tuple[str, ...]:
    return ids[:position] + ids[position + 1 :]


def _start(start: Start) -> Finding:
    return finding(f"{start.id} ({start.parameter})", start.evidence, of="initial", start=start)


def _weight(did: Effects, id: str) -> float:
    return next((abs(effect.share) for effect in did.each if effect.name == id), 0.0)
