"""Counters, rates and decays that change from step to step, as they were measured, as candidates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from parity.explain.update.edit import Edit
from parity.explain.update.edits import ROUGHLY, Base, named_edit
from parity.explain.update.program import Program
from parity.explain.update.proof import Candidate, Part
from parity.explain.update.series import ENOUGH, Measured, counters, listed, measure, named, pattern
from parity.explain.update.stepped import Stepped, bare, decoupled, rate_of
from parity.explain.update.trial import UpdateRecord
from refimpl.types import Array

BAR = 4.0
"""The error bars of the asked rule, of which another one may need some more."""


def sequences(base: Base, records: Sequence[UpdateRecord]) -> Iterator[Candidate]:
    """Counters, rates and decays that change from step to step, as measured."""
    wrong = [record for record in records if record.wrong]
    found = {record.name: measure(record, base.rules[record.name]) for record in wrong}
    if all(one.left.max() <= ROUGHLY for one in found.values()):
        yield from _counters(base, wrong, 4 * len(records))
    if all(one.exact for one in found.values()):
        yield from _patterns(base, wrong, found)


def _counters(base: Base, wrong: Sequence[UpdateRecord], times: int) -> Iterator[Candidate]:
    """The bias correction counts something that is measured."""
    programs = {r.name: program for r in wrong if (program := Program.of(base.rules[r.name])) is not None}
    if len(programs) < len(wrong):
        return
    for wanted in ("correction-frozen", "correction-frozen-of-m", "correction-frozen-of-v"):
        rules, said, every = dict(base.rules), [], []
        for record in wrong:
            program = programs[record.name]
            edit = named_edit(program, wanted)
            if edit is None:
                break
            counted = partial(_with_counts, program, edit)
            t = counters(record, counted, times * record.steps)
            if t is None:
                break
            rules[record.name] = counted(t)
            every.append(np.array(t))
            if t != tuple(range(1, record.steps + 1)):
                said.append(f"{record.name}: {_counted(np.array(t))}")
        else:
            of = wanted.removeprefix("correction-frozen").replace("-of-", " of ")
            text = f"the step counter of the bias correction{of} is another one ({'; '.join(said)}"
            text += f"{', where 0 is no correction' * any(' 0,' in one for one in said)})"
            part = Part.said(
                id="correction-counter",
                text=_without(of, every) or text,
                right="as asked: t = 1, 2, 3, … steps of each parameter",
            )
            yield base.with_part(part, rules)


def _counted(t: Array) -> str:
    """A counter in words, from where it is not that of the steps."""
    first = int(np.argmax(t != np.arange(1, len(t) + 1)))
    if first and len(t) - first > 1 and np.all(t[first:] == first):
        return f"it goes up to t = {first} and stays there"
    return f"t = {listed(t)}" if first < ENOUGH else f"t = {listed(t[first:])} from step {first} on"


def _without(of: str, counts: Sequence[Array]) -> str:
    """That there is no correction, in the first steps or in any; no words where it is otherwise."""
    first = {int(np.argmax(t > 0)) if t.any() else len(t) for t in counts}
    if all(not t.any() for t in counts):
        return f"there is no bias correction{of} in any step where it shows"
    as_asked = len(first) == 1 and all(
        np.array_equal(t[n:], np.arange(n + 1, len(t) + 1)) for t in counts for n in first
    )
    return f"there is no bias correction{of} in the first {min(first)} steps" if as_asked and min(first) else ""


def _with_counts(program: Program, edit: Edit, t: Sequence[int]) -> Any:
    return program.edited(edit.lines, dict.fromkeys(edit.counts, t))


def _patterns(base: Base, wrong: Sequence[UpdateRecord], found: Mapping[str, Measured]) -> Iterator[Candidate]:
    """Patterns of the rate, of the decay, or of both; else the numbers themselves.

    They are read off the largest parameter, and hold for the others, of which one element does not tell the two apart.
    """
    largest = max(wrong, key=lambda record: record.weights[0].size)
    rule, one = base.rules[largest.name], found[largest.name]
    factor = largest.motion.factor[: largest.steps]
    wanted = _decay(rule) * factor
    rate = _told(one.a, BAR * one.a_error, rule, factor)
    with np.errstate(all="ignore"):
        decay = _told(one.b / wanted, BAR * one.b_error / wanted, rule, factor) if wanted.any() else ("", None)
    if rate is not None and decay is not None and (rate[0] or decay[0]):
        same = rate[0] == decay[0]
        parts = [f"the step {rate[0]}"] if rate[0] and not same else []
        parts += [f"the {'learning rate' if same else 'decay'} {decay[0]}"] if decay[0] else []
        part = Part.said(
            id="sequence", text=" and ".join(parts), right="the learning rate and the decay of each step as asked"
        )
        for last in (True, False):  # a parameter that came late: the numbers of the run's steps, or of its own
            rules = {n: _with_patterns(r, wrong, n, rate, decay, last) for n, r in base.rules.items()}
            yield base.with_part(part, rules)
    told = all(record.weights[0].size >= ENOUGH for record in wrong)
    if not base.parts and told:  # beside an edit, or for a few elements, numbers for every step would explain too much
        yield _free(base, wrong, found)


def _decay(rule: Any) -> float:
    """ηλ of a decoupled decay."""
    return rate_of(rule) * rule.weight_decay if decoupled(rule) else 0.0


def _told(values: Any, errors: Any, rule: Any, factor: Any) -> tuple[str, Any] | None:
    """A pattern, no words for one that is as asked, or None where there is none."""
    if np.all(np.abs(values - 1) <= errors):
        return "", None
    return pattern(values, errors, rule, factor)


def _with_patterns(
    rule: Any, wrong: Sequence[UpdateRecord], name: str, rate: tuple[str, Any], decay: tuple[str, Any], last: bool
) -> Any:
    """The rule with these patterns, over the steps and the schedule of its own parameter."""
    record = next((record for record in wrong if record.name == name), None)
    if record is None:
        return rule
    factor, steps = record.motion.factor[: record.steps], record.steps
    own = named(rule, steps, factor)

    def sequence(of: tuple[str, Any]) -> Any:
        text, numbers = of
        listed = np.ones(steps) if numbers is None else numbers[-steps:] if last else numbers[:steps]
        return own.get(text, listed)

    shrink = sequence(decay) * _decay(rule) * factor
    return _stepped(rule, sequence(rate), shrink)


def _stepped(rule: Any, scale: Any, shrink: Any) -> Stepped:
    """The rule without its decoupled decay, with aₖ and bₖ."""
    return Stepped(lr=rate_of(rule), inner=bare(rule), scale=tuple(map(float, scale)), shrink=tuple(map(float, shrink)))


def _free(base: Base, wrong: Sequence[UpdateRecord], found: Mapping[str, Measured]) -> Candidate:
    """The numbers of every step as they were measured."""
    rules = dict(base.rules)
    said: dict[str, list[str]] = {}
    for record in wrong:
        rule, one = base.rules[record.name], found[record.name]
        text = f"the step is {listed(one.a)} times what was asked, from step to step"
        shrinks = decoupled(rule) or bool(np.any(np.abs(one.b) > BAR * one.b_error))
        if shrinks:
            text = f"{text}, and the weights shrink by {listed(one.b)} of themselves"
        rules[record.name] = _stepped(rule, one.a, one.b if shrinks else 0 * one.b)
        said.setdefault(text, []).append(record.name)
    part = Part.said(
        id="sequence",
        text="; ".join(f"{' and '.join(names)}: {text}" for text, names in said.items()),
        right="the learning rate and the decay of each step as asked",
    )
    return base.with_part(part, rules)
