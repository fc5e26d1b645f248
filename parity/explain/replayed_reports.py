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

from parity.step.after import replayed
from parity.step.design import Design
from parity.step.engine import Engine, under
from parity.step.expected import Expected, expect
from parity.step.passes import Pass
from parity.step.quantity import Quantity
from parity.step.recording import Recording
from refimpl.arithmetic.bounded import Bounded
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
    for k, made in enumerate(replayed(design.steps, before, gradient, step)):
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
