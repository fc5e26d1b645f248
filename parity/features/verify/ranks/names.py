"""What is wrong with a reduction, in one sentence each: read from the digits and the pairs of the exact probes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from parity.features.verify.case import Case
from parity.features.verify.ranks.hypers import hyper_findings
from parity.features.verify.ranks.plan import Plan
from parity.features.verify.ranks.probe import (
    Counts,
    Pair,
    Place,
    divisors,
    exact_value,
    format_of,
    is_dyadic,
    read,
    roundings,
)
from parity.features.verify.ranks.record import Record
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array

TIMES = {Fraction(0): "is not counted", Fraction(2): "counts twice", Fraction(1, 2): "counts half"}
Sentences = dict[str, None]
"""Sentences in their order, each once."""


def findings(case: Case, plan: Plan, records: Sequence[Record]) -> list[str]:
    """The sentences of a case that disagrees; none where its reductions are as asked."""
    frozen = plan.asked.frozen
    by_parameter = {name: parameter_findings(case, plan, records, name) for name in plan.start if name not in frozen}
    said: Sentences = {
        f"{name} has a gradient, which is frozen": None
        for name in frozen
        if any(step.before[name].gradient is not None for record in records for step in record.steps)
    }
    for name, sentences in by_parameter.items():
        for sentence in sentences:
            everywhere = all(sentence in others for others in by_parameter.values())
            said[sentence if everywhere else f"in {name}, {sentence}"] = None
    counted = [name for name, sentences in by_parameter.items() if not sentences]
    said |= dict.fromkeys(format_findings(case, plan, records, counted))
    return [*hyper_findings(case, records), *said, *weights_findings(plan, records)][:4]


def parameter_findings(case: Case, plan: Plan, records: Sequence[Record], name: str) -> Sentences:
    """What is wrong with the reduced gradients of one parameter, by the first cycle of probes that shows it."""
    for number in range(len(plan.windows)):
        if not reduced_gradients(records, number, name):
            return {f"there is no gradient in step {number}": None}
    for cycle in sorted({window.cycle for window in plan.windows if window.kind == "digits"}):
        if sentences := digits_findings(case, plan, records, name, cycle):
            return dict.fromkeys(sentences)
    return {}


def reduced_gradients(records: Sequence[Record], number: int, name: str) -> list[Array]:
    """The gradients of a step, of the ranks that have it, flat."""
    present = [record.steps[number].before[name].gradient for record in records if number < len(record.steps)]
    return [gradient[0].reshape(-1) for gradient in present if gradient is not None]


# -- digits ---------------------------------------------------------------------------------------------------------


def digits_findings(case: Case, plan: Plan, records: Sequence[Record], name: str, cycle: int) -> list[str]:
    """Which places are counted how often on each rank, over the rounds of a cycle."""
    rounds = [n for n, w in enumerate(plan.windows) if w.kind == "digits" and w.cycle == cycle]
    counted: list[dict[Place, Fraction]] = []
    wanted: list[dict[Place, Fraction]] = []
    unread, wrong, where, digits = "", False, "", _digits(case, plan)
    for number in rounds:
        codes = plan.windows[number].codes
        gradients = reduced_gradients(records, number, name)
        if (text := _earlier(plan, number, name, gradients, digits)) is not None:
            return [text]
        for rank, gradient in enumerate(gradients):
            if rank == len(counted):
                counted, wanted = [*counted, {}], [*wanted, {}]
            counts = plan.counts(name, number, rank)
            exact = float(exact_value(codes, counts))
            places = np.flatnonzero(~_is_value(gradient, exact, counts, digits))
            value = float(gradient[places[0] if len(places) else 0])
            wrong = wrong or len(places) > 0
            if 0 < len(places) < len(gradient):
                where = f"{_span(places)} of {len(gradient)}: "
            wanted[rank] |= {place: counts[place] for place in codes}
            if (these := read(value, codes, digits, divisors(plan.ranks))) is not None:
                counted[rank] |= these
            elif not unread:
                unread = f"the gradient of step {number} is {value:.9g} on rank {rank}, exactly {exact:.9g}"
    if not wrong:
        return []
    return [where + text for text in ([unread] if unread else counted_findings(plan, counted, wanted)) if text]


def counted_findings(plan: Plan, counted: Sequence[Counts], wanted: Sequence[Counts]) -> list[str]:
    """A sentence on the counts of each rank that has other ones than are asked."""
    if _own_only(counted, plan.ranks):
        return ["the ranks are not synchronised: each has its own gradient alone" + _divided_alone(counted)]
    if all(counts == counted[0] for counts in counted):
        return [counted_text(counted[0], wanted[0], plan)]
    texts = [counted_text(counts, some, plan) for counts, some in zip(counted, wanted, strict=True)]
    return [f"on rank {rank}: {text}" for rank, text in enumerate(texts) if text]


def _span(places: Array) -> str:
    """The elements from the first to the last."""
    first, last = int(places[0]), int(places[-1])
    return f"element {first}" if first == last else f"elements {first} to {last}"


def _is_value(gradient: Array, value: float, counts: Counts, digits: int) -> Array:
    """Where a gradient is this value; up to the roundings of a reduction, where the divisor is no power of two."""
    dyadic = all(is_dyadic(count) for count in counts.values() if count)
    allowed = 0.0 if dyadic else roundings(len(counts), digits) * abs(value)
    return np.asarray(np.abs(gradient - value) <= allowed)


def _digits(case: Case, plan: Plan) -> int:
    return min(FORMATS[name or case.dtype].digits for name in (plan.asked.local, plan.asked.wire, case.dtype))


def _earlier(plan: Plan, number: int, name: str, gradients: Sequence[Array], digits: int) -> str | None:
    """Whether what came out is the gradient of an earlier step, or has it in it."""
    counts = plan.counts(name, number, 0)
    now = float(exact_value(plan.windows[number].codes, counts))
    for earlier in range(number - 1, -1, -1):
        before = plan.windows[earlier]
        if before.kind != "digits":
            continue
        then = float(exact_value(before.codes, plan.counts(name, earlier, 0)))
        if then == now:
            continue
        if all(np.all(_is_value(g, then, counts, digits)) for g in gradients):
            return f"step {number} is made with the gradient of step {earlier}"
        if all(np.all(_is_value(g, now + then, counts, digits)) for g in gradients):
            return f"the gradient of step {earlier} is still in that of step {number}"
    return None


def _own_only(counted: Sequence[Counts], ranks: int) -> bool:
    """Whether each rank counts its own places and no other."""
    return len(counted) == ranks and all(
        (count > 0) == (place[0] == rank) for rank, counts in enumerate(counted) for place, count in counts.items()
    )


def _divided_alone(counted: Sequence[Counts]) -> str:
    """By what the own gradient is divided, where it is."""
    own = {count for rank, counts in enumerate(counted) for place, count in counts.items() if place[0] == rank}
    divisor = 1 / own.pop() if len(own) == 1 else Fraction(1)
    return "" if divisor == 1 else f", divided by {divisor}" if divisor > 1 else f", times {1 / divisor}"


def counted_text(counts: Counts, wanted: Counts, plan: Plan) -> str:
    """One sentence on what a gradient counts: "rank 1 is not counted, rank 0 counts twice"."""
    places = [place for place, count in wanted.items() if count]
    strange = [place for place, count in counts.items() if count and not wanted[place]]
    times = {place: counts[place] / wanted[place] for place in places}
    if all(value == 1 for value in times.values()) and not strange:
        return ""
    alike = set(times.values())
    if len(alike) == 1 and not strange and (factor := alike.pop()) > 0:
        return _divisor_text(factor, 1 / wanted[places[0]], plan)
    by_rank: dict[int, set[Fraction]] = {}
    for (rank, _), value in times.items():
        by_rank.setdefault(rank, set()).add(value)
    if plan.asked.rows and all(len(values) == 1 for values in by_rank.values()):
        means = [sum(counts[place] for place in places if place[0] == rank) for rank in by_rank]
        if len(set(means)) == 1 and means[0]:
            return "the means of the ranks are averaged, whatever number of rows each has"
    parts = [f"rank {rank} counts, which has no part in it" for rank in dict.fromkeys(place[0] for place in strange)]
    for rank, values in by_rank.items():
        value = next(iter(values))
        if len(values) == 1 and value != 1:
            parts.append(f"rank {rank} {_times(value)}")
        elif len(values) > 1:
            some = {j: times[rank, j] for r, j in places if r == rank}
            parts += [
                f"micro-batch {j} of rank {rank} {'is lost' if value == 0 else _times(value)}"
                for j, value in some.items()
                if value != 1
            ]
    return ", ".join(sorted(parts, key=lambda text: "not counted" not in text and "lost" not in text))


def _divisor_text(factor: Fraction, divisor: Fraction, plan: Plan) -> str:
    """All places count the same, but with another divisor."""
    now = divisor / factor
    if now == 1:
        return f"the gradients are summed, not divided by {divisor}"
    if now == divisor * plan.ranks:
        return f"divided by {now} instead of {divisor}: the number of ranks divides twice"
    return f"divided by {now} instead of {divisor}" if now > 1 else f"times {1 / now} instead of divided by {divisor}"


def _times(value: Fraction) -> str:
    return TIMES.get(value, f"counts {value} times" if value.denominator == 1 else f"counts {value} of once")


# -- formats --------------------------------------------------------------------------------------------------------


def format_findings(case: Case, plan: Plan, records: Sequence[Record], counted: Sequence[str]) -> list[str]:
    """In which format parameters were reduced that are counted rightly, where that is narrower than asked."""
    number, window = next((n, w) for n, w in enumerate(plan.windows) if w.kind == "format")
    wrong: list[str] = []
    exact: dict[Pair, bool] = {}
    names = [name for name in counted if name not in (*plan.asked.alone, *plan.asked.unused)]
    for name in names:
        divisor = 1 / max(plan.counts(name, number, 0).values())
        if not is_dyadic(divisor):  # no format holds the quotient
            continue
        values = np.concatenate([np.array([]), *reduced_gradients(records, number, name)])
        size = plan.start[name].size
        pairs = [window.pairs[e % size % len(window.pairs)] for e in range(len(values))]
        right = [
            bool(np.isfinite(value)) and Fraction(float(value)) == pair.value / divisor
            for value, pair in zip(values, pairs, strict=True)
        ]
        wrong += [] if all(right) else [name]
        for pair, is_right in zip(pairs, right, strict=True) if not all(right) else ():
            exact[pair] = exact.get(pair, True) and is_right
    if not wrong:
        return []
    where = "" if wrong == list(plan.start) else f"in {' and '.join(wrong)}, "
    verb = "reduced" if any(not is_right for pair, is_right in exact.items() if pair.sums) else "sent"
    return [f"{where}{verb} in {format_of(exact)} instead of {plan.asked.wire or case.dtype}"]


# -- weights --------------------------------------------------------------------------------------------------------


def weights_findings(plan: Plan, records: Sequence[Record]) -> list[str]:
    """A sentence on the step after which the ranks hold other weights, and on the rank that was not stepped."""
    for record in records[1:]:
        if any(
            not _same(records[0].steps[0].before[name].value, record.steps[0].before[name].value) for name in plan.start
        ):
            return ["the ranks begin with other weights"]
    for number in range(len(plan.windows)):
        present = [record.steps[number] for record in records if number < len(record.steps)]
        for name in plan.start:
            after = [step.after[name].value for step in present]
            different = [rank for rank, value in enumerate(after) if not _same(after[0], value)]
            if not different or name in plan.asked.alone:
                continue
            place = int(np.flatnonzero(after[0].reshape(-1) != after[different[0]].reshape(-1))[0])
            numbers = ", ".join(f"{value.reshape(-1)[place]:.9g} on rank {rank}" for rank, value in enumerate(after))
            still = [
                rank for rank, step in enumerate(present) if _same(step.before[name].value, step.after[name].value)
            ]
            idle = f"; the optimizer of rank {still[0]} is not stepped" if 0 < len(still) < len(present) else ""
            return [f"the ranks' weights differ after step {number}: {name}[{place}] is {numbers}{idle}"]
    return _averaged(plan, records)


def _averaged(plan: Plan, records: Sequence[Record]) -> list[str]:
    """Weights that are equal though the gradients were not, were averaged."""
    first = records[0].steps[0].before
    for record in records[1:]:
        other = record.steps[0].before
        gradients = [
            (first[name].gradient, other[name].gradient) for name in plan.start if name not in plan.asked.frozen
        ]
        if any(a is not None and b is not None and not _same(a, b) for a, b in gradients):
            return ["the weights are averaged instead of the gradients"]
    return []


def _same(one: Array, other: Array) -> bool:
    return np.array_equal(one, other, equal_nan=True)
