"""What the ranks have recorded, held to what the reduction is asked to do and to the optimizer's reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.features.verify.case import Case, Result
from parity.features.verify.ranks.bound import reduced
from parity.features.verify.ranks.hypers import asked_optimizer, hypers
from parity.features.verify.ranks.names import findings
from parity.features.verify.ranks.own_rows import explained_by_own_rows
from parity.features.verify.ranks.plan import BY_ROWS, Asked, Plan, plan_of
from parity.features.verify.ranks.record import Record, Step
from parity.features.verify.ranks.whole import assembled
from parity.features.verify.run_case import result_of
from parity.features.verify.session import Check, measured_sums
from parity.judge.stages import check_muon
from parity.judge.update import Update, check
from parity.record.reference import profile_of
from parity.record.refusals import Vacuous
from parity.record.snapshot import Snapshot, gradient_untouched, same
from parity.step.expected import Expected, Kind, Quantity
from refimpl.optimizers import Muon
from refimpl.types import Array

Updates = list[tuple[Update, Check]]


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def judge(case: Case, asked: Asked, records: Sequence[Record]) -> Result:
    """The verdict of a case; what is wrong with its reduction is named first."""
    plan, records = plan_of(case, asked), assembled(records)
    updates: Updates = []
    pieces = [*begins(plan, records), *gradients(case, plan, records), *updated(case, plan, records, updates)]
    pieces += [*kept(plan, records), *still(plan, records), *ranks_equal(plan, records), *as_asked(case, records)]
    result = result_of(case, pieces, updates, len(updates))
    result = explained_by_own_rows(result, [update for update, _ in updates], records)
    named = findings(case, plan, records) if result.verdict == "disagree" else []
    if not named:
        return result
    return replace(result, text=f"{'; '.join(named)} ({result.text})")


def begins(plan: Plan, records: Sequence[Record]) -> Iterator[Expected]:
    """Every rank begins with the weights of rank 0."""
    for record in records:
        for name, start in plan.start.items():
            yield same(Quantity("start value", name), 0, start[None], record.steps[0].before[name].value)


def gradients(case: Case, plan: Plan, records: Sequence[Record]) -> Iterator[Expected]:
    """The reduced gradients of every rank and step."""
    asked = plan.asked
    formats = (asked.local or case.dtype, asked.wire or case.dtype, case.dtype)
    for number, window in enumerate(plan.windows):
        for rank, record in enumerate(records):
            if number >= len(record.steps):
                continue
            for name, start in plan.start.items():
                candidate = record.steps[number].before[name].gradient
                if name in asked.frozen:
                    if candidate is not None:
                        yield same(Quantity("reduced", name), number, None, candidate)
                    continue
                own = {
                    (r, j): some.get(name, np.zeros(start.shape))[None]
                    for r, micros in enumerate(window.gradients)
                    for j, some in enumerate(micros)
                }
                counts = plan.counts(name, number, rank)
                yield reduced(name, number, own, counts, candidate, formats, fits=window.kind != "random")


def updated(case: Case, plan: Plan, records: Sequence[Record], updates: Updates) -> Iterator[Expected]:
    """The optimizer's steps; those that are equal on several ranks, bit for bit, are judged once."""
    for number in range(len(plan.windows)):
        for name in plan.start:
            judged: list[Step] = []
            for record in records:
                step = record.steps[number] if number < len(record.steps) else None
                if step is None or name not in step.optimizers or any(alike(name, step, other) for other in judged):
                    continue
                judged.append(step)
                update, checks = recorded_update(case, name, number, step, sharded=plan.asked.sharded)
                updates.append((update, checks))
                yield from checks(update)
                yield from gradient_untouched(name, number, step.before[name], step.after[name])
            present = [record.steps[number].before[name] for record in records if number < len(record.steps)]
            if not judged and any(snapshot.gradient is not None for snapshot in present):
                raise Vacuous(f"no rank made the update of {name} in step {number}")


def recorded_update(case: Case, name: str, number: int, step: Step, *, sharded: bool) -> tuple[Update, Check]:
    """The record of a parameter's step on a rank, and its check."""
    before, after, optimizer = step.before[name], step.after[name], step.optimizers[name]
    assert before.gradient is not None
    dtype = after.formats["param"]
    whole = case.optimizer in BY_ROWS and not sharded  # sums over shards are rounded between
    sums = measured_sums(dtype, case.size, case.device) if whole else None
    update = Update(
        parameter=name,
        number=number,
        optimizer=optimizer,
        profile=profile_of(dtype, case.device, fused=False, scalar="float64", sums=sums),
        before=before.value,
        gradient=before.gradient,
        state=before.state,
        after=after.value,
        state_after=after.state,
        formats=after.formats,
    )
    if not isinstance(optimizer, Muon):
        return update, check
    own, place = 3 * optimizer.ns_steps, list(step.optimizers).index(name)
    return update, partial(check_muon, products=step.products[place * own : (place + 1) * own])


def as_asked(case: Case, records: Sequence[Record]) -> Iterator[Expected]:
    """In every step, the hyper-parameters in effect are those that the case asks for."""
    asked = hypers(asked_optimizer(case))
    for record in records:
        for number, step in enumerate(record.steps):
            for name, optimizer in step.optimizers.items():
                for hyper, value in hypers(optimizer).items():
                    equals = np.array([[float(value == asked[hyper])]])
                    yield same(Quantity("as asked", name, hyper), number, np.ones((1, 1)), equals)


def kept(plan: Plan, records: Sequence[Record]) -> Iterator[Expected]:
    """Between two steps, nothing changes; where all is saved and loaded, all is as it was."""
    for number in range(len(plan.windows) - 1):
        for record in records:
            if number + 1 >= len(record.steps):
                continue
            for name in plan.start:
                then, now = record.steps[number].after[name], record.steps[number + 1].before[name]
                kind: Kind = "loaded" if number == plan.asked.reloads else "untouched"
                yield same(Quantity(kind, name), number, then.value, now.value)
                for key in {**then.state, **now.state}:
                    yield same(Quantity(kind, name, key), number, then.state.get(key), now.state.get(key))


def still(plan: Plan, records: Sequence[Record]) -> Iterator[Expected]:
    """A parameter without a gradient keeps its values and its state in a step."""
    for record in records:
        for number, step in enumerate(record.steps):
            for name in plan.asked.frozen:
                before, after = step.before[name], step.after[name]
                yield same(Quantity("untouched", name), number, before.value, after.value)
                for key in {**before.state, **after.state}:
                    yield same(Quantity("untouched", name, key), number, before.state.get(key), after.state.get(key))


def ranks_equal(plan: Plan, records: Sequence[Record]) -> Iterator[Expected]:
    """All ranks hold the same weights after each step, and at the end, bit for bit."""
    names = [name for name in plan.start if name not in plan.asked.alone]
    for number in range(len(plan.windows)):
        present = [record.steps[number].after for record in records if number < len(record.steps)]
        for name in names:
            for other in present[1:]:
                yield bits(Quantity("ranks", name), number, present[0][name].value, other[name].value)
    for name in names:
        for record in records[1:]:
            yield bits(Quantity("ranks", name), len(plan.windows), records[0].end[name].value, record.end[name].value)


def bits(quantity: Quantity, number: int, first: Array, other: Array) -> Expected:
    """Equal as numbers are, with the sign of zero."""
    return same(quantity, number, *(np.stack([array, np.copysign(1.0, array)], axis=-1) for array in (first, other)))


def alike(name: str, step: Step, other: Step) -> bool:
    """Whether two ranks made the same update of a parameter, bit for bit."""
    pairs: list[tuple[Snapshot, Snapshot]] = [
        (step.before[name], other.before[name]),
        (step.after[name], other.after[name]),
    ]
    return all(_equal(one, two) for one, two in pairs)


def _equal(one: Snapshot, two: Snapshot) -> bool:
    if one.state.keys() != two.state.keys():
        return False
    arrays: list[tuple[Any, Any]] = [(one.value, two.value), (one.gradient, two.gradient)]
    arrays += [(one.state[key], two.state[key]) for key in one.state]
    return all(
        (a is None and b is None) or (a is not None and b is not None and np.array_equal(a, b, equal_nan=True))
        for a, b in arrays
    )
