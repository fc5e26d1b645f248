"""What may have been executed in the place of the asked rules, with one part changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from itertools import pairwise
from typing import Any, get_type_hints

import numpy as np

from parity.explain.motion import Motion
from parity.explain.pattern import which
from parity.explain.replay import Slot, with_numbers
from parity.explain.update.edits import Base, Edits, named_edit
from parity.explain.update.numbers import Solved, shortest, slots, solve
from parity.explain.update.program import Program
from parity.explain.update.proof import Candidate, Part
from parity.explain.update.stepped import Partly, Stepped, rate_of, share_by_shape
from parity.explain.update.trial import UpdateRecord
from parity.explain.words import of_number, of_option, words_of
from refimpl.errors import RefimplError
from refimpl.optimizers import OPTIMIZERS
from refimpl.ranges import choice_fields

LEFT_OUT = ("muon", "lbfgs", "soap")
"""References that no single bound over a step is worth having of."""
IN_FLOAT32 = ("nadam", "asgd")
"""References that keep a number in float32."""


def options(base: Base) -> Iterator[Candidate]:
    """One option other than asked."""
    kind: Any = type(next(iter(base.rules.values())))
    hints = get_type_hints(kind) if is_dataclass(kind) and not base.parts else {}
    choices = {name: (False, True) for name, hint in hints.items() if hint is bool} | dict(choice_fields(kind))
    for name, values in choices.items():
        for value in values:
            try:
                rules = {n: replace(rule, **{name: value}) for n, rule in base.rules.items()}
            except (RefimplError, TypeError):
                continue
            asked = next(getattr(rule, name, value) for rule in base.rules.values())
            if asked == value:
                continue
            id, words = of_option(name, asked, value)
            part = Part.said(id=id, text=words.text, right=words.change)
            yield base.with_part(part, rules)


def other_numbers(base: Base, records: Sequence[UpdateRecord]) -> Iterator[Candidate]:
    """One number other than asked."""
    wrong = [record for record in records if record.wrong]
    of_all = [set(slots(rule)) for rule in base.rules.values()]
    for slot in dict.fromkeys(slot for record in wrong for slot in slots(base.rules[record.name])):
        if not all(slot in own for own in of_all):
            continue
        solved = solved_for(records, base.rules, slot)
        if solved is not None:
            yield from _number(base, wrong[0].name, solved)
    if not any(getattr(rule, "weight_decay", 1) for rule in base.rules.values()) and not base.parts:
        shrunk = {n: _decoupled(rule) for n, rule in base.rules.items()}
        if all(rule is not None for rule in shrunk.values()):
            decayed = replace(base, rules=shrunk)
            solved = solved_for(records, decayed.rules, Slot("weight_decay"))
            if solved is not None:
                yield from _number(decayed, wrong[0].name, solved, decoupled=True)


def _decoupled(rule: Any) -> Any:
    """The rule with a decoupled decay that was not asked; None where it has a coupled one."""
    if getattr(rule, "decay", "") != "coupled" or not is_dataclass(rule):
        return None
    try:
        program = Program.of(replace(rule, weight_decay=0.01))  # type: ignore[type-var]
    except RefimplError:
        return None
    edit = named_edit(program, "decoupled-for-coupled")
    return None if edit is None or program is None else program.edited(edit.lines)


def solved_for(records: Sequence[UpdateRecord], rules: Mapping[str, Any], slot: Slot) -> Solved | None:
    """One number."""
    return next(iter(solve(records, rules, [slot])), None)


def _number(base: Base, first: str, solved: Solved, *, decoupled: bool = False) -> Iterator[Candidate]:
    """The number as it was solved for, with few digits and with all. ``decoupled``: a decay that was not asked."""
    slot = solved.slot
    asked = 0.0 if decoupled else slot.of(base.rules[first])
    beside = decoupled or getattr(base.rules[first], "decay", "") == "decoupled"
    for value in dict.fromkeys((solved.short, solved.value)):
        times = shortest(value / asked, *sorted((solved.low / asked, solved.high / asked))) if asked else math.nan
        id, words = of_number(slot.name, asked, value, times=times, decoupled=beside)
        part = Part.said(id=id, text=words.text, right=words.change)
        yield base.with_part(part, {n: with_numbers(r, {slot: value}, checked=False) for n, r in base.rules.items()})


def clipped(base: Base, records: Sequence[UpdateRecord]) -> Iterator[Candidate]:
    """The gradient is clipped: by the norm of all parameters, by that of each, or each element."""
    own = {r.name: np.sqrt((r.gradients[: r.steps].reshape(r.steps, -1) ** 2).sum(axis=1)) for r in records}
    steps = max(len(norms) for norms in own.values())
    all_of = np.sqrt(sum(np.pad(norms, (steps - len(norms), 0)) ** 2 for norms in own.values()))
    ways: list[tuple[str, Mapping[str, Any]]] = [
        ("gradient-clipped-by-norm", {name: all_of[-len(own[name]) :] for name in own}),
        ("gradient-clipped-each", own),
        ("gradient-clipped-by-value", {}),
    ]
    for id, norms in ways:
        for tiny in (0.0, 1e-6) if norms else (0.0,):  # torch divides by ‖g‖ + 1e-6
            values = norms or {name: np.abs(record.gradients).max(axis=0) for name, record in _by_name(records).items()}
            middle = float(np.median(np.concatenate([np.ravel(value) for value in values.values()])))
            rules = {
                name: Stepped(
                    lr=rate_of(rule),
                    inner=rule,
                    clip=middle,
                    norms=tuple(map(float, norms[name] + tiny)) if norms else (),
                )
                for name, rule in base.rules.items()
                if name in own
            }
            rules = {**base.rules, **rules}
            solved = solved_for(records, rules, Slot("clip"))
            if solved is not None:
                words = words_of(id, {"value": solved.short, "limit": solved.short})
                part = Part.said(id=id, text=words.text, right=words.change)
                clipped = {
                    n: with_numbers(r, {Slot("clip"): solved.short}) if n in own else r for n, r in rules.items()
                }
                yield base.with_part(part, clipped)


def _by_name(records: Sequence[UpdateRecord]) -> dict[str, UpdateRecord]:
    return {record.name: record for record in records}


def look_aheads(base: Base, records: Sequence[UpdateRecord]) -> Iterator[Candidate]:
    """Every few steps the weights are pulled back to those of some steps before."""
    steps = [np.flatnonzero((r.share > 1).reshape(len(r.share), -1).any(axis=1)) for r in records if r.wrong]
    every = np.unique(np.concatenate(steps)) if steps else np.zeros(0, int)
    if len(every) < 2 or every[0] == 0 or any(b - a != every[0] + 1 for a, b in pairwise(every)):
        return
    period = int(every[0]) + 1
    alphas = []
    for record in (r for r in records if r.wrong):
        expected, slow = record.predicted(base.rules[record.name]), record.weights[0]
        for k in every[every < record.steps]:
            before, after = (expected[k] - slow).ravel(), (record.weights[k + 1] - slow).ravel()
            alphas.append((float(before @ after / (before @ before)), len(before)))
            slow = record.weights[k + 1]
    pull = float(np.average([a for a, _ in alphas], weights=[n for _, n in alphas]))
    pull = shortest(pull, pull - 1e-5, pull + 1e-5)
    part = Part.said(
        id="look-ahead",
        text=f"after every {period}th step the weights are pulled back, s ← s + {pull:.6g}·(w − s), w ← s, with s "
        f"those of {period} steps before: a look-ahead (Lookahead, k = {period}, α = {pull:.6g}) is left in",
        right="take the look-ahead out, or ask for it",
    )
    rules = {n: Stepped(lr=rate_of(rule), inner=rule, period=period, pull=pull) for n, rule in base.rules.items()}
    yield base.with_part(part, rules)


def shared_states(base: Base, records: Sequence[UpdateRecord], asked: Mapping[str, Any]) -> Iterator[Candidate]:
    """Parameters of one shape keep their state in one place."""
    motions: list[Motion] = [record.motion for record in records]
    rules = share_by_shape({name: asked[name] for name in base.rules}, motions)
    groups: dict[tuple[int, ...], list[str]] = {}
    for record in records:
        groups.setdefault(record.weights.shape[1:], []).append(record.name)
    shared = [" and ".join(names) for names in groups.values() if len(names) > 1]
    if shared:
        part = Part.said(
            id="state-shared",
            text=f"parameters of one shape share one state ({'; '.join(shared)}): each advances the averages and the "
            "counter of the other",
            right="keep the state by parameter (self.state[p]), not by shape or name",
        )
        yield base.with_part(part, rules)


def other_references(base: Base, asked: Mapping[str, Any]) -> Iterator[Candidate]:
    """Another reference with the numbers that were asked for, as far as it has them."""
    for key, cls in OPTIMIZERS.items():
        if key in LEFT_OUT:
            continue
        made: dict[str, Any] = {}
        for name, optimizer in asked.items():
            own = {field.name: field for field in fields(cls)}
            given = {n: v for n, v in vars(optimizer).items() if n in own and _alike(v, own[n].default)}
            try:
                made[name] = cls(**({"lr": 0.01} | given if "lr" in own else given))
            except (RefimplError, TypeError):
                break
        else:
            if any(type(asked[name]) is not cls for name in asked):
                shown = next(iter(made.values()))
                part = Part.said(
                    id=f"reference-{key}",
                    text=f"the update is that of {type(shown).__name__} ({_shown(shown)})",
                    right=f"use {type(next(iter(asked.values()))).__name__}",
                )
                yield replace(base.with_part(part, made), screened=key not in IN_FLOAT32)


def _alike(value: Any, default: Any) -> bool:
    """Of the same kind: a number where that is one, a pair where that is a pair."""
    count = len(value) if isinstance(value, tuple) else 0
    return default is MISSING or count == (len(default) if isinstance(default, tuple) else 0)


def _shown(optimizer: Any) -> str:
    return ", ".join(f"{field.name}={getattr(optimizer, field.name)!r}" for field in fields(optimizer))


def of_some_elements(edits: Edits, records: Sequence[UpdateRecord]) -> Iterator[Candidate]:
    """A named edit for those elements only that are not as asked, where the others are so in every step."""
    wrong = {r.name: (r.share > 1).any(axis=0) for r in records if r.wrong}
    if not wrong or all(mask.all() for mask in wrong.values()):
        return
    for own in edits.named:
        whole = edits.candidate(own)
        rules = dict(edits.base.rules)
        for name in wrong:
            inner = whole.rules[name]
            if inner is not None:
                asked, mask = rules[name], tuple(map(bool, wrong[name].ravel()))
                rules[name] = Partly(lr=rate_of(asked), inner=inner, asked=asked, mask=mask)
        text, right = whole.parts[-1].say()
        some = ", ".join(f"{which(mask.ravel())} of {name}" for name, mask in wrong.items())
        part = Part.said(id=f"{next(iter(own.values())).id}-of-some", text=f"{text}: in {some}", right=right)
        yield edits.base.with_part(part, rules)
