"""Correct torch runs of random experiments, each held to its own experiment: what the judge says of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from benchmarks.random_experiments import draw_experiment
from parity.backends.base import DTYPES, IMPLEMENTATIONS, Implementation, Setting
from parity.backends.torch_backend import TorchBackend
from parity.errors import Unsupported
from parity.experiment import Experiment
from parity.formulation import Formulation, realise
from parity.judge.verdict import Verdict, judge
from refimpl.optimizers import SGD
from refimpl.trajectory import Trajectory

LOW = ("bfloat16", "float16")


class Combination(NamedTuple):
    """One way to run an experiment."""

    dtype: str
    formulation: Formulation
    implementation: Implementation

    @property
    def wrong_in_torch(self) -> bool:
        """Fused SGD in low precision on the CPU."""
        return self.implementation == "fused" and self.dtype in LOW


WAYS: tuple[tuple[Formulation, Implementation], ...] = (
    *(("loss", implementation) for implementation in IMPLEMENTATIONS),
    *(("weight_decay", implementation) for implementation in IMPLEMENTATIONS),
    ("manual", "for-loop"),
)
CELLS = tuple(Combination(dtype, *way) for way in WAYS for dtype in DTYPES)
CORRECT = tuple(cell for cell in CELLS if not cell.wrong_in_torch)
WRONG = tuple(cell for cell in CELLS if cell.wrong_in_torch)


class Case(NamedTuple):
    """Run ``number`` of a seed: what is run, and in which cell."""

    number: int
    cell: Combination
    family: str
    experiment: Experiment

    @property
    def changes_grad(self) -> bool:
        """torch's foreach SGD adds μb to ``.grad`` itself where neither a decay nor ``maximize`` made a copy of it."""
        optimizers = realise(self.experiment, self.cell.formulation).optimizers.values()
        return self.cell.implementation == "foreach" and any(
            isinstance(o, SGD) and o.nesterov and not o.maximize and o.weight_decay == 0 for o in optimizers
        )


def draw_case(seed: int, number: int) -> Case:
    """Draw the case that belongs to a seed and a number; the cells take turns."""
    cell = CELLS[number % len(CELLS)]
    rng = np.random.default_rng([seed, number])
    family, experiment = draw_experiment(rng, cell.formulation, f"run-{number}")
    return Case(number, cell, family, experiment)


# -- running and judging -------------------------------------------------------------------------------------------


class Tally(NamedTuple):
    """One quantity of one run. ``alarms``: its steps that disagree; ``used``: largest share of the tolerance."""

    values: int
    equal: int
    unknown: int
    alarms: int
    used: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one case. ``changed_grad``: None, or whether the expected change of ``.grad`` was noted."""

    number: int
    cell: Combination
    family: str
    features: int
    steps: int = 0
    verdict: str
    text: str
    tallies: dict[str, Tally] = field(default_factory=dict)
    changed_grad: bool | None = None

    @property
    def false_alarm(self) -> bool:
        """Accused of something that torch has right."""
        return any(tally.alarms for tally in self.tallies.values())


def label(quantity: str) -> str:
    """The judge's quantities under the names of the table."""
    if quantity.startswith(("initial", "data")):
        return "start"
    return {"update weight": "weights", "update bias": "bias", "loss": "batch loss"}.get(quantity, quantity)


def tallies(verdict: Verdict, side_effects: int) -> dict[str, Tally]:
    """Per quantity; ``start`` is the initial weights and data, ``untouched`` the gradients, which no step may move."""
    by_quantity: dict[str, Tally] = {}
    for comparison in verdict.comparisons:
        alarms = int(np.sum(comparison.share > 1))
        new = Tally(comparison.elements, comparison.exact, comparison.unknown, alarms, comparison.used)
        name = label(str(comparison.quantity))
        by_quantity[name] = combine(by_quantity[name], new) if name in by_quantity else new
    values = sum(tally.values for name, tally in by_quantity.items() if name in ("gradient weight", "gradient bias"))
    return by_quantity | {"untouched": Tally(values, values, 0, side_effects, 0.0)}


def combine(a: Tally, b: Tally) -> Tally:
    """The sum of two tallies."""
    counts = (a.values + b.values, a.equal + b.equal, a.unknown + b.unknown, a.alarms + b.alarms)
    return Tally(*counts, max(a.used, b.used))


def run_case(case: Case, device: str = "cpu") -> tuple[Verdict, Trajectory]:
    """Run and judge one case: the verdict, and the trajectory."""
    setting = Setting(device=device, **case.cell._asdict())
    trajectory = TorchBackend().run(case.experiment, setting)
    return judge(case.experiment, trajectory), trajectory


def outcome(seed: int, number: int, device: str = "cpu") -> Outcome:
    """Draw, run and judge; what breaks is an outcome too."""
    case = draw_case(seed, number)
    features = int(getattr(case.experiment.data, "features", 2))
    finish = partial(Outcome, number=number, cell=case.cell, family=case.family, features=features)
    try:
        verdict, trajectory = run_case(case, device)
    except Unsupported as refusal:
        return finish(verdict="unsupported", text=str(refusal))
    except Exception as error:  # a judge that breaks on correct code is a finding of its own
        return finish(verdict="error", text=f"{type(error).__name__}: {error}")
    by_quantity, changed = tallies(verdict, len(trajectory.side_effects)), None
    if case.changes_grad:
        changed = all(effect.tensor.startswith("gradients/") for effect in trajectory.side_effects)
        changed = changed and bool(trajectory.side_effects)
        del by_quantity["untouched"]
    name = "known" if verdict.name == "disagree" and not any(t.alarms for t in by_quantity.values()) else verdict.name
    return finish(steps=trajectory.steps, verdict=name, text=verdict.text, tallies=by_quantity, changed_grad=changed)


def choose_numbers(runs: int) -> list[int]:
    """Case numbers with at least ``runs`` runs in the correct cells, the same number in each cell."""
    rounds = math.ceil(runs / len(CORRECT))
    return list(range(rounds * len(CELLS)))
