"""What may have been executed in the place of the asked rules, with one part changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np

from parity.explain.motion import Motion
from parity.explain.replay import Slot
from parity.explain.update.changes import Change, changes_of
from parity.explain.update.counts import Place
from parity.explain.update.numbers import SYMBOLS, Solved, numbers_of, shortest, solve
from parity.explain.update.of import rule_of
from parity.explain.update.proof import Candidate, Part
from parity.explain.update.rule import Rule
from parity.explain.update.series import Measured, counters, listed, measure, named, pattern
from parity.explain.update.shared import share_by_shape
from parity.explain.update.trial import Record
from refimpl.errors import RefimplError
from refimpl.optimizers import OPTIMIZERS

LEFT_OUT = ("muon", "lbfgs")
"""References that no single bound over a step is worth having of."""
IN_FLOAT32 = ("nadam", "asgd")
"""References that keep a number in float32."""
ROUGHLY = 0.3
"""Share of the moves that a link may leave for a second part to be looked for beside it."""
BAR = 4.0
"""The error bars of the asked rule, of which another one may need some more."""


@dataclass(frozen=True)
class Base:
    """Rules that one part more may be changed of: those asked, or such as have a link replaced already."""

    rules: Mapping[str, Rule]
    parts: tuple[Part, ...] = ()

    def with_part(self, part: Part, rules: Mapping[str, Any], *, partly: bool = True) -> Candidate:
        return Candidate(parts=(*self.parts, part), rules=rules, partly=partly)


def part_of(change: Change) -> Part:
    return Part(id=change.id, text=change.text, right=f"as asked: {change.right}")


def links(base: Base, places: Mapping[str, Place], kinds: Sequence[str] = ()) -> Iterator[tuple[Change, Candidate]]:
    """Each link of the rules replaced by another one; not of the ``kinds`` that are replaced already."""
    changes = {change.id: change for n, rule in base.rules.items() for change in changes_of(rule, places[n].epochs)}
    for change in changes.values():
        if change.kind not in kinds:
            rules = {name: change.of(rule, places[name]) for name, rule in base.rules.items()}
            yield change, base.with_part(part_of(change), rules)


def other_numbers(base: Base, records: Sequence[Record]) -> Iterator[Candidate]:
    """One number other than asked."""
    wrong = [record for record in records if record.wrong]
    names = dict.fromkeys(name for record in wrong for name in numbers_of(base.rules[record.name]))
    for name in names:
        solved = solved_for(records, base.rules, name)
        if solved is not None:
            yield from _number(base, wrong[0].name, solved)
    for kind in ("coupled", "decoupled"):
        if not any(rule.weight_decay or rule.inner for rule in base.rules.values()):
            decayed = replace(base, rules={name: rule.having(decay=kind) for name, rule in base.rules.items()})
            solved = solved_for(records, decayed.rules, "weight_decay")
            if solved is not None:
                yield from _number(decayed, wrong[0].name, solved)


def solved_for(records: Sequence[Record], rules: Mapping[str, Rule], name: str) -> Solved | None:
    """One number."""
    return next(iter(solve(records, rules, [Slot(name)])), None)


def _number(base: Base, first: str, solved: Solved) -> Iterator[Candidate]:
    """The number as it was solved for, with few digits and with all."""
    name, asked = solved.slot.field, solved.slot.of(base.rules[first])
    for value in dict.fromkeys((solved.short, solved.value)):
        symbol, times = SYMBOLS[name], ""
        if asked:
            ratio = shortest(value / asked, *sorted((solved.low / asked, solved.high / asked)))
            times = f", {ratio:.6g} times that"
        elif name == "weight_decay":
            times = f" ({base.rules[first].decay})"
        part = Part(
            id=f"number-{name}",
            text=f"{symbol} = {value:.10g} is executed, {asked:g} was asked{times}",
            right=f"use {symbol} = {asked:g}",
        )
        yield base.with_part(part, {n: rule.having(**{name: value}) for n, rule in base.rules.items()})


def clipped(base: Base, records: Sequence[Record]) -> Iterator[Candidate]:
    """The gradient is clipped: by the norm of all parameters, by that of each, or each element."""
    if any(rule.inner is not None for rule in base.rules.values()):
        return
    own = {r.name: np.sqrt((r.gradients[: r.steps].reshape(r.steps, -1) ** 2).sum(axis=1)) for r in records}
    steps = max(len(norms) for norms in own.values())
    all_of = np.sqrt(sum(np.pad(norms, (steps - len(norms), 0)) ** 2 for norms in own.values()))
    ways: list[tuple[str, str, Mapping[str, Any]]] = [
        ("norm", "by the norm of all parameters together", {name: all_of[-len(own[name]) :] for name in own}),
        ("norm-of-each", "by the norm of each parameter apart", own),
        ("value", "element by element", {}),
    ]
    for id, text, norms in ways:
        for tiny in (0.0, 1e-6) if norms else (0.0,):  # torch divides by ‖g‖ + 1e-6
            values = norms or {name: np.abs(record.gradients).max(axis=0) for name, record in _by_name(records).items()}
            middle = float(np.median(np.concatenate([np.ravel(value) for value in values.values()])))
            rules = {
                name: rule.having(clip=middle, norms=tuple(map(float, norms[name] + tiny)) if norms else ())
                for name, rule in base.rules.items()
            }
            solved = solved_for(records, rules, "clip")
            if solved is not None:
                part = Part(
                    id=f"clip-{id}",
                    text=f"the gradient is clipped to {solved.short:.6g}, {text}, before the update",
                    right="do not clip in the optimizer, or ask for it",
                )
                yield base.with_part(part, {n: rule.having(clip=solved.short) for n, rule in rules.items()})


def _by_name(records: Sequence[Record]) -> dict[str, Record]:
    return {record.name: record for record in records}


def sequences(base: Base, records: Sequence[Record]) -> Iterator[Candidate]:
    """Counters, rates and decays that change from step to step, as measured."""
    wrong = [record for record in records if record.wrong]
    found = {record.name: measure(record, base.rules[record.name]) for record in wrong}
    if all(one.left.max() <= ROUGHLY for one in found.values()):
        yield from _counters(base, wrong, 4 * len(records))
    if all(one.exact for one in found.values()):
        yield from _patterns(base, wrong, found)


def _counters(base: Base, wrong: Sequence[Record], times: int) -> Iterator[Candidate]:
    """The bias correction counts something that is measured."""
    one = base.rules[wrong[0].name]
    both = [name for name in ("first_counts", "second_counts") if getattr(one, name)]
    ways = [both, *([name] for name in both)] if len(both) > 1 else [both] if both else []
    for names in ways if one.inner is None else ():
        rules, said = dict(base.rules), []
        for record in wrong:
            t = counters(record, base.rules[record.name], names, times * record.steps)
            if t is None:
                break
            rules[record.name] = base.rules[record.name].having(**dict.fromkeys(names, t))
            if t != tuple(range(1, record.steps + 1)):
                said.append(f"{record.name}: t = {listed(np.array(t))}")
        else:
            of = "" if names == both else f" of {'m' if names == ['first_counts'] else 'v'} alone"
            part = Part(
                id="correction-counter",
                text=f"the step counter of the bias correction{of} is another one ({'; '.join(said)})",
                right="as asked: t = 1, 2, 3, … steps of each parameter",
            )
            yield base.with_part(part, rules)


def _patterns(base: Base, wrong: Sequence[Record], found: Mapping[str, Measured]) -> Iterator[Candidate]:
    """Patterns of the rate, of the decay, or of both; else the numbers themselves.

    They are read off the largest parameter, and hold for the others, of which one element does not tell the two apart.
    """
    largest = max(wrong, key=lambda record: record.weights[0].size)
    rule, one = base.rules[largest.name], found[largest.name]
    factor = largest.motion.factor[: largest.steps]
    wanted = float(rule.lr) * float(rule.weight_decay) * factor if rule.decay == "decoupled" else 0 * factor
    rate = _told(one.a, BAR * one.a_error, rule, factor)
    with np.errstate(all="ignore"):
        decay = _told(one.b / wanted, BAR * one.b_error / wanted, rule, factor) if wanted.any() else ("", None)
    if rate is not None and decay is not None and (rate[0] or decay[0]):
        same = rate[0] == decay[0]
        parts = [f"the step {rate[0]}"] if rate[0] and not same else []
        parts += [f"the {'learning rate' if same else 'decay'} {decay[0]}"] if decay[0] else []
        part = Part(
            id="sequence", text=" and ".join(parts), right="the learning rate and the decay of each step as asked"
        )
        rules = {n: _with_patterns(r, wrong, n, rate[0], decay[0], (rate[1], decay[1])) for n, r in base.rules.items()}
        yield base.with_part(part, rules)
    if not base.parts:  # beside a replaced link, numbers for every step would explain too much
        yield _free(base, wrong, found)


def _told(values: Any, errors: Any, rule: Rule, factor: Any) -> tuple[str, Any] | None:
    """A pattern, no words for one that is as asked, or None where there is none."""
    if np.all(np.abs(values - 1) <= errors):
        return "", None
    return pattern(values, errors, rule, factor)


def _with_patterns(
    rule: Rule, wrong: Sequence[Record], name: str, rate: str, decay: str, numbers: tuple[Any, Any]
) -> Rule:
    """The rule with these patterns, over the steps and the schedule of its own parameter."""
    record = next((record for record in wrong if record.name == name), None)
    if record is None:
        return rule
    factor, steps = record.motion.factor[: record.steps], record.steps
    own = named(rule, steps, factor)
    scale = own.get(rate, numbers[0][-steps:] if numbers[0] is not None else None)
    changed = rule if scale is None else rule.having(scale=tuple(map(float, scale)))
    if not decay:
        return changed
    times = own.get(decay, numbers[1][-steps:] if numbers[1] is not None else np.ones(steps))
    wanted = float(rule.lr) * float(rule.weight_decay) * factor
    return changed.having(shrink=tuple(map(float, times * wanted)), decay="none", weight_decay=0.0)


def _free(base: Base, wrong: Sequence[Record], found: Mapping[str, Measured]) -> Candidate:
    """The numbers of every step as they were measured."""
    rules = dict(base.rules)
    said: dict[str, list[str]] = {}
    for record in wrong:
        rule, one = base.rules[record.name], found[record.name]
        decoupled = rule.decay == "decoupled" and rule.weight_decay
        text = f"the step is {listed(one.a)} times what was asked, from step to step"
        shrink: Any = ()
        if decoupled or np.any(np.abs(one.b) > BAR * one.b_error):
            shrink, text = tuple(map(float, one.b)), f"{text}, and the weights shrink by {listed(one.b)} of themselves"
        bare = {} if rule.decay.startswith("coupled") else {"decay": "none", "weight_decay": 0.0}
        rules[record.name] = rule.having(scale=tuple(map(float, one.a)), shrink=shrink, **bare)
        said.setdefault(text, []).append(record.name)
    part = Part(
        id="sequence",
        text="; ".join(f"{' and '.join(names)}: {text}" for text, names in said.items()),
        right="the learning rate and the decay of each step as asked",
    )
    return base.with_part(part, rules)


def look_aheads(base: Base, records: Sequence[Record]) -> Iterator[Candidate]:
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
    part = Part(
        id="look-ahead",
        text=f"after every {period}th step the weights are pulled back, s ← s + {pull:.6g}·(w − s), w ← s, with s "
        f"those of {period} steps before: a look-ahead (Lookahead, k = {period}, α = {pull:.6g}) is left in",
        right="take the look-ahead out, or ask for it",
    )
    yield base.with_part(part, {n: rule.having(period=period, pull=pull) for n, rule in base.rules.items()})


def shared_states(base: Base, records: Sequence[Record], asked: Mapping[str, Any]) -> Iterator[Candidate]:
    """Parameters of one shape keep their state in one place."""
    motions: list[Motion] = [record.motion for record in records]
    steps = len(records) * max(record.steps for record in records)
    rules = share_by_shape({name: rule_of(asked[name], steps) for name in base.rules}, motions)
    groups: dict[tuple[int, ...], list[str]] = {}
    for record in records:
        groups.setdefault(record.weights.shape[1:], []).append(record.name)
    shared = [" and ".join(names) for names in groups.values() if len(names) > 1]
    if shared:
        part = Part(
            id="state-shared",
            text=f"parameters of one shape share one state ({'; '.join(shared)}): each advances the averages and the "
            "counter of the other",
            right="keep the state by parameter (self.state[p]), not by shape or name",
        )
        yield base.with_part(part, rules)


def other_references(base: Base, asked: Mapping[str, Any], steps: int) -> Iterator[Candidate]:
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
                part = Part(
                    id=f"reference-{key}",
                    text=f"the update is that of {type(shown).__name__} ({_shown(shown)})",
                    right=f"use {type(next(iter(asked.values()))).__name__}",
                )
                rules = {name: _direct(optimizer, steps) for name, optimizer in made.items()}
                yield replace(base.with_part(part, rules), screened=key not in IN_FLOAT32)


def _direct(optimizer: Any, steps: int) -> Any:
    """The rule of links, or the reference itself where it is not made of them."""
    rule = rule_of(optimizer, steps)
    return optimizer if rule.inner is not None else rule


def _alike(value: Any, default: Any) -> bool:
    """Of the same kind: a number where that is one, a pair where that is a pair."""
    count = len(value) if isinstance(value, tuple) else 0
    return default is MISSING or count == (len(default) if isinstance(default, tuple) else 0)


def _shown(optimizer: Any) -> str:
    return ", ".join(f"{field.name}={getattr(optimizer, field.name)!r}" for field in fields(optimizer))


def near_ones(base: Base, places: Mapping[str, Place], records: Sequence[Record], most: int) -> list[tuple[str, Base]]:
    """The links whose replacement leaves least of the moves when each step has a number of its own."""
    wrong = max((r for r in records if r.wrong), key=lambda r: r.weights[0].size)
    ranked = []
    for change, candidate in links(base, places):
        one = measure(wrong, candidate.rules[wrong.name])
        left = float(np.mean(one.left)) if np.isfinite(one.left).all() else np.inf
        ranked.append((left if not one.exact else 0.0, change.kind, Base(candidate.rules, candidate.parts)))
    ranked.sort(key=lambda entry: entry[0])
    return [(kind, near) for left, kind, near in ranked[:most] if left <= ROUGHLY]
