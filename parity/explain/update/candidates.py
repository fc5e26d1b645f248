"""What may have been executed in the place of the asked rules, with one part changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, TypeAlias, get_type_hints

import numpy as np

from parity.explain.motion import Motion
from parity.explain.replay import Slot, with_numbers
from parity.explain.update.counts import Place
from parity.explain.update.edits import Edit, Editor
from parity.explain.update.numbers import SYMBOLS, Solved, shortest, slots, solve
from parity.explain.update.program import Program
from parity.explain.update.proof import Candidate, Part
from parity.explain.update.series import Measured, counters, listed, measure, named, pattern
from parity.explain.update.shared import share_by_shape
from parity.explain.update.stepped import Stepped, bare, decoupled, rate_of
from parity.explain.update.trial import Record
from refimpl.errors import RefimplError
from refimpl.optimizers import OPTIMIZERS
from refimpl.types import choice_fields

LEFT_OUT = ("muon", "lbfgs")
"""References that no single bound over a step is worth having of."""
IN_FLOAT32 = ("nadam", "asgd")
"""References that keep a number in float32."""
ROUGHLY = 0.3
"""Share of the moves that a link may leave for a second part to be looked for beside it."""
OPTIONS: Mapping[tuple[str, Any], str] = {
    ("amsgrad", False): "amsgrad-missing",
    ("amsgrad", True): "amsgrad-extra",
    ("nesterov", False): "nesterov-missing",
    ("nesterov", True): "nesterov-extra",
}
"""Options that have a name."""
CATALOGUE: Mapping[tuple[str, Any], str] = {
    ("amsgrad", False): "v itself is used, not its maximum, for which amsgrad asks",
    ("amsgrad", True): "the step is divided by the largest v so far (amsgrad), which was not asked",
    ("nesterov", False): "momentum is the plain one, where Nesterov's was asked",
    ("nesterov", True): "the step is Nesterov's, g + μ·b, where the plain momentum was asked",
}
Own: TypeAlias = dict[str, Edit]
"""An edit of each parameter."""
BAR = 4.0
"""The error bars of the asked rule, of which another one may need some more."""


@dataclass(frozen=True)
class Base:
    """Rules that one part more may be changed of: those asked, or such as have a link replaced already."""

    rules: Mapping[str, Any]
    parts: tuple[Part, ...] = ()

    def with_part(self, part: Part, rules: Mapping[str, Any], *, partly: bool = True) -> Candidate:
        return Candidate(parts=(*self.parts, part), rules=rules, partly=partly)


class Edited(Mapping[str, Any]):
    """The rules with an edit, each put together when it is asked for."""

    def __init__(self, edits: Edits, own: Own) -> None:
        self.edits, self.own = edits, own

    def __getitem__(self, name: str) -> Any:
        edits = self.edits
        if name not in self.own:
            return edits.base.rules[name]
        try:
            return self.own[name].of(edits.programs[name], edits.places[name])
        except SyntaxError:  # no program
            return None

    def __iter__(self) -> Iterator[str]:
        return iter(self.edits.base.rules)

    def __len__(self) -> int:
        return len(self.edits.base.rules)


class Edits:
    """The edits of the rules' programs; each is made in every parameter whose program allows it."""

    def __init__(self, base: Base, places: Mapping[str, Place]) -> None:
        self.base, self.places = base, places
        made = {id(rule): Program.of(rule) for rule in base.rules.values()}
        programs = {name: made[id(rule)] for name, rule in base.rules.items()}
        self.programs = {name: program for name, program in programs.items() if program is not None}

    @cached_property
    def named(self) -> list[Own]:
        """Those that have words of their own."""
        return self._by_name(False)

    @cached_property
    def every(self) -> list[Own]:
        """Those that any line allows."""
        return self._by_name(True)

    def _by_name(self, every: bool) -> list[Own]:
        by_name: dict[tuple[str, ...], Own] = {}
        made: dict[tuple[str, ...], list[Edit]] = {}
        for name, program in self.programs.items():
            if program.lines not in made:
                epochs = bool(np.ptp(self.places[name].epochs)) if len(self.places[name].epochs) else False
                editor = Editor(program)
                made[program.lines] = list(editor.every() if every else editor.named(epochs))
            for edit in made[program.lines]:
                by_name.setdefault(edit.key(program), {})[name] = edit
        return list(by_name.values())

    def part(self, own: Own) -> Part:
        """What is said of an edit."""
        name, edit = next(iter(own.items()))
        return Part(id=edit.id, say=lambda: edit.told(self.programs[name]))

    def candidate(self, own: Own) -> Candidate:
        """The rules with an edit."""
        return self.base.with_part(self.part(own), Edited(self, own))

    def pairs(self) -> Iterator[Candidate]:
        """Two edits that have a name, in different lines."""
        for i, one in enumerate(self.named):
            for other in self.named[i + 1 :]:
                both = {n: both for n, edit in one.items() if n in other and (both := edit.beside(other[n])) is not None}
                if len(both) == len(one) == len(other):
                    parts = (*self.base.parts, self.part(one), self.part(other))
                    yield Candidate(parts=parts, rules=Edited(self, both))


def named_edit(program: Program | None, id: str) -> Edit | None:
    """The edit of that name."""
    found = () if program is None else Editor(program).named()
    return next((edit for edit in found if edit.id == id), None)


def options(base: Base) -> Iterator[Candidate]:
    """One option other than asked."""
    kind: Any = type(next(iter(base.rules.values())))
    hints = get_type_hints(kind) if is_dataclass(kind) and not base.parts else {}
    choices = {name: (False, True) for name, hint in hints.items() if hint is bool} | dict(choice_fields(kind))
    for name, values in choices.items():
        for value in values:
            try:
                rules = {n: replace(rule, **{name: value}) for n, rule in base.rules.items()}  # type: ignore[type-var]
            except (RefimplError, TypeError):
                continue
            asked = next(getattr(rule, name) for rule in base.rules.values())
            if asked == value:
                continue
            id = OPTIONS.get((name, value), f"option-{name}")
            known = CATALOGUE.get((name, value), f"{name}={value!r} is executed, {name}={asked!r} was asked")
            part = Part.said(id=id, text=known, right=f"set {name}={asked!r}")
            yield base.with_part(part, rules)


def other_numbers(base: Base, records: Sequence[Record]) -> Iterator[Candidate]:
    """One number other than asked."""
    wrong = [record for record in records if record.wrong]
    for slot in dict.fromkeys(slot for record in wrong for slot in slots(base.rules[record.name])):
        solved = solved_for(records, base.rules, slot)
        if solved is not None:
            yield from _number(base, wrong[0].name, solved)
    if not any(getattr(rule, "weight_decay", 1) for rule in base.rules.values()) and not base.parts:
        shrunk = {n: _decoupled(rule) for n, rule in base.rules.items()}
        if all(rule is not None for rule in shrunk.values()):
            decayed = replace(base, rules=shrunk)
            solved = solved_for(records, decayed.rules, Slot("weight_decay"))
            if solved is not None:
                yield from _number(decayed, wrong[0].name, solved, "decoupled")


def _decoupled(rule: Any) -> Any:
    """The rule with a decoupled decay that was not asked; None where it has a coupled one."""
    if getattr(rule, "decay", "") != "coupled" or not is_dataclass(rule):
        return None
    try:
        program = Program.of(replace(rule, weight_decay=0.01))  # type: ignore[type-var]
    except RefimplError:
        return None
    edit = named_edit(program, "decay-decoupled")
    return None if edit is None or program is None else program.edited(edit.lines)


def solved_for(records: Sequence[Record], rules: Mapping[str, Any], slot: Slot) -> Solved | None:
    """One number."""
    return next(iter(solve(records, rules, [slot])), None)


def _number(base: Base, first: str, solved: Solved, kind: str = "") -> Iterator[Candidate]:
    """The number as it was solved for, with few digits and with all."""
    slot = solved.slot
    asked = 0.0 if kind else slot.of(base.rules[first])
    for value in dict.fromkeys((solved.short, solved.value)):
        times = f" ({kind})" if kind else ""
        if asked:
            ratio = shortest(value / asked, *sorted((solved.low / asked, solved.high / asked)))
            times = f", {ratio:.6g} times that"
        symbol = SYMBOLS.get(slot.name, slot.name)
        part = Part.said(
            id=f"number-{slot.name}",
            text=f"{symbol} = {value:.10g} is executed, {asked:g} was asked{times}",
            right=f"use {symbol} = {asked:g}",
        )
        yield base.with_part(part, {n: with_numbers(r, {slot: value}, checked=False) for n, r in base.rules.items()})


def clipped(base: Base, records: Sequence[Record]) -> Iterator[Candidate]:
    """The gradient is clipped: by the norm of all parameters, by that of each, or each element."""
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
                part = Part.said(
                    id=f"clip-{id}",
                    text=f"the gradient is clipped to {solved.short:.6g}, {text}, before the update",
                    right="do not clip in the optimizer, or ask for it",
                )
                clipped = {n: with_numbers(r, {Slot("clip"): solved.short}) if n in own else r for n, r in rules.items()}
                yield base.with_part(part, clipped)


def _by_name(records: Sequence[Record]) -> dict[str, Record]:
    return {record.name: record for record in records}


def sequences(base: Base, records: Sequence[Record], places: Mapping[str, Place]) -> Iterator[Candidate]:
    """Counters, rates and decays that change from step to step, as measured."""
    wrong = [record for record in records if record.wrong]
    found = {record.name: measure(record, base.rules[record.name]) for record in wrong}
    if all(one.left.max() <= ROUGHLY for one in found.values()):
        yield from _counters(base, wrong, 4 * len(records), places)
    if all(one.exact for one in found.values()):
        yield from _patterns(base, wrong, found)


def _counters(
    base: Base, wrong: Sequence[Record], times: int, places: Mapping[str, Place]
) -> Iterator[Candidate]:
    """The bias correction counts something that is measured."""
    programs = {r.name: program for r in wrong if (program := Program.of(base.rules[r.name])) is not None}
    if len(programs) < len(wrong):
        return
    for wanted in ("correction-frozen", "correction-frozen-of-m", "correction-frozen-of-v"):
        rules, said = dict(base.rules), []
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
            if t != tuple(range(1, record.steps + 1)):
                said.append(f"{record.name}: t = {listed(np.array(t))}")
        else:
            of = wanted.removeprefix("correction-frozen").replace("-of-", " of ")
            part = Part.said(
                id="correction-counter",
                text=f"the step counter of the bias correction{of} is another one ({'; '.join(said)})",
                right="as asked: t = 1, 2, 3, … steps of each parameter",
            )
            yield base.with_part(part, rules)


def _with_counts(program: Program, edit: Edit, t: tuple[int, ...]) -> Any:
    return program.edited(edit.lines, dict.fromkeys(edit.counts, t))


def _patterns(base: Base, wrong: Sequence[Record], found: Mapping[str, Measured]) -> Iterator[Candidate]:
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
    if not base.parts:  # beside an edit, numbers for every step would explain too much
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
    rule: Any, wrong: Sequence[Record], name: str, rate: tuple[str, Any], decay: tuple[str, Any], last: bool
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
    return Stepped(
        lr=rate_of(rule), inner=bare(rule), scale=tuple(map(float, scale)), shrink=tuple(map(float, shrink))
    )


def _free(base: Base, wrong: Sequence[Record], found: Mapping[str, Measured]) -> Candidate:
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
    part = Part.said(
        id="look-ahead",
        text=f"after every {period}th step the weights are pulled back, s ← s + {pull:.6g}·(w − s), w ← s, with s "
        f"those of {period} steps before: a look-ahead (Lookahead, k = {period}, α = {pull:.6g}) is left in",
        right="take the look-ahead out, or ask for it",
    )
    rules = {
        n: Stepped(lr=rate_of(rule), inner=rule, period=period, pull=pull) for n, rule in base.rules.items()
    }
    yield base.with_part(part, rules)


def shared_states(base: Base, records: Sequence[Record], asked: Mapping[str, Any]) -> Iterator[Candidate]:
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


def near_ones(edits: Edits, records: Sequence[Record], most: int) -> list[tuple[Edit, Base]]:
    """The edits that leave least of the moves when each step has a number of its own."""
    wrong = max((r for r in records if r.wrong), key=lambda r: r.weights[0].size)
    ranked = []
    for own in (*edits.named, *edits.every):
        rules = Edited(edits, own)
        ranked.append((_left(wrong, rules[wrong.name]), len(ranked), own))
    ranked.sort(key=lambda entry: entry[:2])
    near = [own for left, _, own in ranked[:most] if left <= ROUGHLY]
    return [(next(iter(own.values())), Base(Edited(edits, own), (*edits.base.parts, edits.part(own)))) for own in near]


def _left(record: Record, rule: Any) -> float:
    """The mean share of the moves that is left beside the rule's own moves and the weights."""
    weights = record.weights[: record.steps].reshape(record.steps, -1)
    moved = record.weights[1 : record.steps + 1].reshape(record.steps, -1) - weights
    try:
        step = record.predicted(bare(rule)).reshape(record.steps, -1) - weights
    except Exception:  # a program that cannot run
        return np.inf
    with np.errstate(all="ignore"):
        left = moved
        for basis in (step, weights):
            if basis is weights:
                basis = basis - step * (_dot(basis, step) / _dot(step, step))
            left = left - basis * (_dot(left, basis) / _dot(basis, basis))
        share = np.sqrt(_dot(left, left) / _dot(moved, moved))
    return float(share.mean()) if np.isfinite(share).all() else np.inf


def _dot(a: Any, b: Any) -> Any:
    """Of each step."""
    return np.sum(a * b, axis=1, keepdims=True)
