"""A run that was not reported at every step: replayed from one report to the next.

From the weights of each report the experiment's own steps are taken in running-error arithmetic until the next one, so
that what the rounding errors of the steps between may come to is known. The optimizer's state is carried along from the
start of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.explain.design import Design
from parity.explain.predict import Predictions, to_meet, unchecked
from parity.explain.readings import maps
from parity.explain.record import Recording
from parity.explain.rounding import like
from parity.judge.arithmetics import Rounding
from parity.judge.expected import Expected, expect
from parity.judge.schedules import in_effect
from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.sums import add_in_any_order
from refimpl.types import Array


@dataclass(frozen=True)
class Replay:
    """``updates``: what the weights of each report may be. ``losses``: by name, of every step ``(K, 1)``."""

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
    return _Replaying(design, recording).run(marks)


class _Replaying:
    def __init__(self, design: Design, recording: Recording) -> None:
        self.design, self.recording = design, recording
        self.loss, self.update = (Rounding(recording.profiles[part]) for part in ("loss", "update"))
        self.problem: Any = self.loss.hyper(design.form.in_gradient)
        self.inputs = Predictions(recording).inputs(design)
        self.raw: list[dict[str, Any]] = []
        self.state: dict[str, Any] = {}

    def run(self, marks: Array) -> Replay:
        recording = self.recording
        params: dict[str, Any] = self._reported(0)
        updates, losses = [], []
        for k in range(self.design.steps):
            found, gradient = self._gradient(k, params)
            losses.append(found)
            params = {name: self._step(name, k, params[name], gradient[name]) for name in params}
            if k + 1 in marks:
                report = 1 + int(np.flatnonzero(marks == k + 1)[0])
                for name, weights in recording.weights.items():
                    now, store = slice(report, report + 1), recording.formats[name]
                    piece = expect(f"update {name}", np.array([k]), weights[now], params[name], store)
                    updates.append(piece.widened(recording.half_unit(name)[now]))
                params = self._reported(report)
        joined = {name: _stacked([one[name] for one in losses]) for name in losses[0]}
        return Replay(updates, joined)

    def _reported(self, report: int) -> dict[str, Any]:
        now = slice(report, report + 1)
        return {name: self.recording.before(name, now, self.update.profile) for name in self.recording.weights}

    def _gradient(self, k: int, params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The losses of a batch, and what the optimizer is given."""
        design, problem = self.design, self.problem
        params = {name: Bounded(p.value, p.error, self.loss.profile) for name, p in params.items()}
        X, y = (self._batch(name, design.rows[k]) for name in ("X", "y"))
        outputs = problem.model.forward(params, X)
        data = problem.loss.value(outputs, y)
        terms = {name: [g] for name, g in problem.model.backward(params, X, problem.loss.gradient(outputs, y)).items()}
        penalties = problem.objective_from(0 * data, params)
        for name, penalty in problem.terms:
            subgradient = penalty.subgradient(params[name])
            if design.penalty_times is not None:
                times = Bounded.hyper(design.penalty_times[k : k + 1], self.loss.profile)
                subgradient = to_meet(times, subgradient.ndim) * subgradient
            terms[name].append(subgradient)
        self.raw.append({name: add_in_any_order(some) for name, some in terms.items()})
        gradient = self.raw[-1]
        if design.mixing is not None:
            used = [(m, raw) for m, raw in zip(design.mixing[k], self.raw, strict=False) if m]
            gradient = {name: add_in_any_order([like(raw[name], m) * raw[name] for m, raw in used]) for name in params}
        for twist in design.twists:
            gradient = twist(gradient)
        return {"loss": data, "objective": data + penalties}, gradient

    def _batch(self, name: str, rows: Array) -> Bounded:
        whole = self.inputs[name]
        profile = self.loss.profile
        error = self.design.uncertain * profile.u(profile.compute) * np.max(np.abs(whole))
        return Bounded(whole[:, rows], error, profile)

    def _step(self, name: str, k: int, param: Any, gradient: Any) -> Any:
        design = self.design
        count = to_meet(design.advances[k : k + 1], param.ndim)
        optimizer: Any = in_effect(design.form.optimizers[name], design.form.schedule, count, self.update)
        if name in design.decay_times:
            optimizer = unchecked(
                optimizer, weight_decay=optimizer.weight_decay * like(param, design.decay_times[name][k])
            )
        given = Bounded(gradient.value, gradient.error, self.update.profile)
        before = self.state.get(name) or dict(optimizer.init(param))
        after, self.state[name] = design.after(name, k, optimizer, param, given, before)
        return after


def losses_of_reports(replayed: Replay, design: Design, recording: Recording, marks: Array) -> tuple[str, float]:
    """What the loss of each report is, and its error ÷ allowance; what comes nearest where it is no usual quantity."""
    best = "", np.inf
    profile = recording.profiles["loss"]
    assert recording.loss is not None
    for what, losses in replayed.losses.items():
        for name, matrix in maps(what, design).items():
            mapped: Any = Bounded.tensor(matrix[marks - 1], profile) @ losses
            held = expect(name, marks - 1, recording.loss, mapped[:, 0], profile.compute)
            share = float(np.max(held.widened(recording.half_unit("loss")).share))
            if share <= 1:
                return name, share
            best = min(best, (name, share), key=lambda pair: pair[1])
    return best


def _stacked(losses: Sequence[Any]) -> Bounded:
    """One loss of each step as a column."""
    value, error = (np.stack([getattr(one, part) for one in losses]) for part in ("value", "error"))
    return Bounded(value.reshape(-1, 1), error.reshape(-1, 1), losses[0].profile)
