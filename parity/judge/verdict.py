"""From the checks to a verdict, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from parity.experiment import Experiment, Material
from parity.formulation import realise
from parity.judge.steps import Checks
from parity.judge.undecidable import neutral
from parity.step.expected import Comparison, Disagreement, Quantity, compare, in_use
from refimpl.errors import ShapeError
from refimpl.trajectory import Trajectory

EXACT = ("update", "state", "loss", "gradient", "gradient off span")
"""Kinds whose numbers held to equality are counted in a verdict."""
VerdictName = Literal["agree", "disagree", "undecidable", "unsupported", "error"]


@dataclass(frozen=True)
class Verdict:
    """What the judge says of one trajectory.

    ``used``: the largest share of the tolerance per quantity. ``undecidable``: hyper-parameters that this run cannot
    see; apart from them it agrees. ``first``: where it first disagrees. ``text``: the same in one line.
    """

    name: VerdictName
    text: str
    comparisons: tuple[Comparison, ...] = ()
    undecidable: tuple[str, ...] = ()
    first: Disagreement | None = None

    @property
    def used(self) -> dict[str, float]:
        return {str(comparison.quantity): comparison.used for comparison in self.comparisons}


def judge(experiment: Experiment, trajectory: Trajectory, *, form_factor: float = 1.0) -> Verdict:
    """Hold a recorded run to the experiment, step by step; for ``form_factor`` see :mod:`parity.step.recording`."""
    return judged(checks_of(experiment, experiment.draw(), trajectory, form_factor=form_factor))


def checks_of(
    experiment: Experiment, material: Material, trajectory: Trajectory, *, form_factor: float = 1.0
) -> Checks:
    """The checks of a recorded run. Raises :class:`ShapeError` where it is not one of the experiment."""
    check_counts(experiment, material, trajectory)
    form = realise(experiment, trajectory.meta.get("formulation", "loss"))
    return Checks(form, material, trajectory, form_factor=form_factor)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # of a run that diverges: no bound, said in words
def judged(checks: Checks) -> Verdict:
    """What the checks of a run say."""
    comparisons = tuple(compare(checks.all()))
    first = first_disagreement(checks.trajectory, comparisons)
    if first is not None:
        return Verdict("disagree", str(first), comparisons, first=first)
    overflow = [c for c in comparisons if c.unknown and c.quantity.kind in ("update", "state", "whole step")]
    if overflow:
        step = min(c.first_unknown for c in overflow)
        text = f"agrees before step {step}; from there on numbers may overflow, and what overflows has no bound"
        return Verdict("undecidable", text, comparisons)
    others = neutral(checks.form, checks.material)
    unseen = tuple(name for name, form, material in others if not checks.against(form, material).catch())
    if unseen:
        what = ", ".join(unseen)
        return Verdict("undecidable", f"agrees, except that {what} cannot be seen in this run", comparisons, unseen)
    return Verdict("agree", _agreement(comparisons), comparisons)


def check_counts(experiment: Experiment, material: Material, trajectory: Trajectory) -> None:
    """Raise :class:`ShapeError` unless the record is of one run with the steps and epochs of the experiment."""
    steps = sum(len(batches) for batches in material.order)
    epochs = experiment.epochs + 1
    lengths = {name: (values.shape[:2], (steps + 1, 1)) for name, values in trajectory.params.items()}
    lengths |= {f"gradient {name}": (v.shape[:2], (steps, 1)) for name, v in trajectory.gradients.items()}
    lengths |= {f"average {name}": (v.shape[:2], (steps, 1)) for name, v in trajectory.averages.items()}
    once = {"loss": steps, "objective": steps, "norm": steps + 1, "train loss": epochs, "validation loss": epochs}
    for name, length in once.items():
        values = getattr(trajectory, name.replace(" ", "_"))
        if values is not None:  # there may be no rows to validate on
            lengths[name] = (values.shape, (length, 1))
    missing = set(experiment.model.ndim) - set(trajectory.params)
    for name, (given, expected) in lengths.items():
        if given != expected:
            raise ShapeError(
                name, given=given, allowed=f"{expected} for this experiment", remedy="record every step once"
            )
    if missing or (trajectory.gradients and set(trajectory.gradients) != set(trajectory.params)):
        raise ShapeError("params", given=sorted(trajectory.params), allowed="every parameter", remedy="record them all")


def first_disagreement(trajectory: Trajectory, comparisons: tuple[Comparison, ...]) -> Disagreement | None:
    """The earliest one; among those of a step, what comes first in the computation."""
    disagreements = [c.disagreement for c in comparisons if c.disagreement is not None]
    disagreements += [
        Disagreement(_moved(e.tensor), e.step, e.index, e.after, e.before, 0.0) for e in trajectory.side_effects
    ]
    return min(disagreements, key=lambda disagreement: (disagreement.step, disagreement.quantity.order), default=None)


def _moved(tensor: str) -> Quantity:
    """The tensor of a side effect, ``gradients/weight`` or ``inputs/X``."""
    where, _, name = tensor.partition("/")
    return Quantity("untouched gradient" if where == "gradients" else "untouched input", name)


def _agreement(comparisons: tuple[Comparison, ...]) -> str:
    worst = max(comparisons, key=lambda c: c.used)
    exact = sum(c.exact for c in comparisons if c.quantity.kind in EXACT)
    unknown = sum(c.unknown for c in comparisons)
    total = sum(c.elements for c in comparisons) - unknown
    text = f"{total:,} numbers within tolerance; {in_use(worst.used)}, by {worst.quantity}"
    text += f"; {exact:,} of them held to equality" if exact else ""
    return text + (f"; {unknown:,} more have no bound, because numbers may overflow" if unknown else "")
