"""From the checks to a verdict, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from parity.experiment import Experiment, Material
from parity.formulation import Realised, realise
from parity.judge.expected import Comparison, Disagreement, compare
from parity.judge.steps import Checks
from refimpl.errors import RefimplError
from refimpl.trajectory import Trajectory
from refimpl.types import number_fields, off

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
        return {comparison.quantity: comparison.used for comparison in self.comparisons}


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # of a run that diverges: no bound, said in words
def judge(experiment: Experiment, trajectory: Trajectory, *, form_factor: float = 1.0) -> Verdict:
    """Hold a recorded run to the experiment, step by step; for ``form_factor`` see :mod:`parity.judge.profile`."""
    form = realise(experiment, trajectory.meta.get("formulation", "loss"))
    material = experiment.draw()
    comparisons = tuple(compare(Checks(form, material, trajectory, form_factor=form_factor).all()))
    first = first_disagreement(trajectory, comparisons)
    if first is not None:
        return Verdict("disagree", str(first), comparisons, first=first)
    if not any(c.elements > c.unknown for c in comparisons if c.quantity.startswith(("update", "whole step"))):
        return Verdict("undecidable", "no update has a bound: the numbers overflow", comparisons)
    unseen = tuple(name for name, other in neutral(form) if not _caught(other, material, trajectory, form_factor))
    if unseen:
        what = ", ".join(unseen)
        return Verdict("undecidable", f"agrees, except that {what} cannot be seen in this run", comparisons, unseen)
    return Verdict("agree", _agreement(comparisons), comparisons)


def first_disagreement(trajectory: Trajectory, comparisons: tuple[Comparison, ...]) -> Disagreement | None:
    """The earliest one; among those of a step, what comes first in the computation."""
    found = [c.disagreement for c in comparisons if c.disagreement is not None]
    found += [
        Disagreement(f"untouched {e.tensor}", e.step, e.index, e.after, e.before, 0.0) for e in trajectory.side_effects
    ]
    order = (
        "data",
        "initial",
        "train",
        "validation",
        "norm",
        "loss",
        "objective",
        "gradient",
        "untouched",
        "state",
        "update",
        "whole",
    )

    def position(disagreement: Disagreement) -> tuple[int, int]:
        return disagreement.step, order.index(disagreement.quantity.split()[0])

    return min(found, key=position, default=None)


def neutral(form: Realised) -> Iterator[tuple[str, Realised]]:
    """Each hyper-parameter with a value that it does not have: λ and μ replaced by 0, the others doubled.

    If the run would agree with that too, it cannot see the hyper-parameter.
    """
    of_optimizers = {n: None for optimizer in form.optimizers.values() for n in number_fields(type(optimizer))}
    for hyper in of_optimizers:
        changed = {name: _changed(optimizer, hyper) for name, optimizer in form.optimizers.items()}
        if any(changed[name] is not form.optimizers[name] for name in changed):
            yield hyper, replace(form, optimizers=changed)
    for field in number_fields(type(form.schedule)):
        schedule = _changed(form.schedule, field)
        if schedule is not form.schedule:
            yield f"schedule.{field}", replace(form, schedule=schedule)
    for i, penalty in enumerate(form.in_gradient.penalties):
        for field in number_fields(type(penalty)):
            other = _changed(penalty, field)
            if other is not penalty:
                penalties = form.in_gradient.penalties
                changed_penalties = (*penalties[:i], other, *penalties[i + 1 :])
                name = f"{type(penalty).__name__}.{field} on {', '.join(penalty.parameters)}"
                yield name, replace(form, in_gradient=replace(form.in_gradient, penalties=changed_penalties))


def _changed(obj: Any, hyper: str) -> Any:
    """A copy with the neutral value; ``obj`` itself where it has no such hyper-parameter, or has it switched off."""
    value = getattr(obj, hyper, 0)
    if off(value):
        return obj
    vanishing = hyper in ("weight_decay", "momentum", "strength", "l1", "l2")
    changes: dict[str, Any] = {hyper: 0.0 if vanishing else 2 * value}
    if hyper == "momentum" and getattr(obj, "nesterov", False):
        changes["nesterov"] = False
    try:
        return replace(obj, **changes)
    except RefimplError:  # doubled, it leaves its range
        return replace(obj, **{hyper: value / 2})


def _caught(form: Realised, material: Material, trajectory: Trajectory, form_factor: float) -> bool:
    checks = Checks(form, material, trajectory, form_factor=form_factor)
    return any(bool((piece.share > 1).any()) for piece in checks.all())


def _agreement(comparisons: tuple[Comparison, ...]) -> str:
    worst = max(comparisons, key=lambda c: c.used)
    exact = sum(c.exact for c in comparisons if c.quantity.startswith(("update", "state", "loss", "gradient")))
    unknown = sum(c.unknown for c in comparisons)
    total = sum(c.elements for c in comparisons) - unknown
    text = f"{total:,} numbers within tolerance; at most {worst.used:.2f} of it used ({worst.quantity})"
    text += f"; {exact:,} of them held to equality" if exact else ""
    return text + (f"; {unknown:,} more have no bound, because numbers may overflow" if unknown else "")
