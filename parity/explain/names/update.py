"""What was made of the gradient: numbers of the optimizer, calls, rates, and its recurrence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from parity.explain.catalogue import NAMES
from parity.explain.cause import Cause, cause, cause_of, causes_of
from parity.explain.measure.chain import Chain
from parity.explain.measure.series import Series
from parity.explain.motion import Motion, rate_factor
from parity.explain.names import calls, decays, rates, state
from parity.explain.names.option import nearest
from parity.explain.replay import Slot, with_numbers
from parity.explain.update import UpdateExplanation, explain_update
from parity.step.design import Design
from refimpl.arithmetic.bounded import Bounded
from refimpl.optimizers import OPTIMIZERS
from refimpl.ranges import number_fields
from refimpl.types import Array


def options(chain: Chain, changed: Design) -> Iterator[tuple[Cause, ...]]:
    """Sets of causes that explain the update, the gradient being that of ``changed``."""
    seen = chain.seen(changed)
    starts: list[tuple[tuple[Cause, ...], Design, Design]] = [((), changed, seen)]
    for called in calls.causes(chain, changed):
        yield (called,)
        applied, its = called.to(changed), called.to(seen)
        if applied is not None and its is not None:
            starts.insert(0, ((called,), applied, its))
    yield from ((one,) for one in _stale(chain))
    for begin, base, its in starts:
        for of_numbers in numbers(chain, base):
            yield (*begin, *of_numbers)
        executed = _rates(chain, its)
        if executed is not None:
            yield from ((*begin, one) for one in rates.causes(base, executed))
        yield from ((*begin, one) for one in decays.causes(chain, its))
        if begin:  # without it was tried before
            yield from ((*begin, one) for one in state.causes(chain, its))
        yield from ((*begin, one) for one in nearest(chain.engine, its, _recurrences(), within=0.1))


def _recurrences() -> Iterator[Cause]:
    """The catalogue's optimizers, schedules, decays and orders, where no number of theirs is free."""
    for name in NAMES.values():
        if name.kind in ("optimizer", "schedule", "penalty", "data") and not name.free:
            yield from causes_of(name)


def _stale(chain: Chain) -> Iterator[Cause]:
    """The optimizer saw the gradient of the backward pass before, and at the first step none."""
    observed = chain.observed
    if observed is None or "weight" not in observed.raw or "weight" not in observed.seen:
        return
    raw, seen = (np.asarray(each["weight"], float).reshape(chain.steps, -1) for each in (observed.raw, observed.seen))
    if chain.steps > 1 and np.array_equal(seen[1:], raw[:-1]) and not np.isfinite(seen[0]).any():
        yield cause_of(NAMES["gradient-stale"], 2.0)


# -- numbers that were recorded ----------------------------------------------------------------------------------------


def numbers(chain: Chain, design: Design) -> Iterator[tuple[Cause, ...]]:
    """The numbers of the parameter groups, where the optimizer is one of torch's: what differs from what was asked."""
    observed = chain.observed
    if observed is None:
        return
    executed: dict[str, Any] = {}
    listed: dict[str, Array] = {}
    for name, asked in design.form.optimizers.items():
        kind = OPTIMIZERS.get(observed.optimizer.get(name, "").lower())
        given = observed.numbers.get(name)
        if kind is None or given is None or "lr" not in given:
            return
        made = _optimizer(kind, given, asked)
        if made is None:
            return
        executed[name] = made
        listed[name] = np.asarray(given["lr"], float)
    executed = {name: replace(made, lr=_rate_of(design, name, listed)) for name, made in executed.items()}
    of_rates = tuple(_rate_causes(design, listed))
    changed = tuple(_differences(design, executed))
    for one in of_rates[:3] or ((),):
        combined = (*changed, *([one] if one else []))
        if combined:
            yield combined


def _rate_of(design: Design, name: str, listed: Mapping[str, Array]) -> Any:
    """η of a parameter as it was recorded, where that is one multiple of the asked rates, and not the same for all."""
    asked: Any = design.form.optimizers[name]
    with np.errstate(all="ignore"):
        times = {each: rates / design.rates(each) for each, rates in listed.items()}
    constant = all(np.isfinite(t).all() and np.ptp(t) <= 1e-12 * abs(t[0]) for t in times.values())
    if not constant or len({round(float(t[0]), 12) for t in times.values()}) == 1:
        return asked.lr
    first = listed[name][0] * asked.lr / design.rates(name)[0]
    return float(first) if abs(times[name][0] - 1) > 1e-12 else asked.lr


def _optimizer(kind: Any, given: Mapping[str, Array], asked: Any) -> Any:
    """The reference with the recorded numbers; the rate and the coupled decay stay as asked: they are told apart."""
    parts: dict[str, Any] = {}
    for field in fields(kind):
        if field.name == "lr":
            parts["lr"] = asked.lr
        elif field.name in given and field.name in number_fields(kind):
            value = np.asarray(given[field.name], float)
            finite = value[np.isfinite(value)]
            if not len(finite):  # such as a limit that is none
                continue
            if np.ptp(finite) > 0:
                return None
            parts[field.name] = float(finite[0])
        elif f"{field.name}[0]" in given:
            parts[field.name] = tuple(float(given[f"{field.name}[{i}]"][0]) for i in range(2))
        elif field.name in given:
            parts[field.name] = bool(given[field.name][0])
    try:
        made = kind(**parts)
    except Exception:  # numbers that the reference does not take
        return None
    if made.decay == "coupled" and "weight_decay" in parts:  # it is part of the gradient that is explained
        made = replace(made, weight_decay=0.0)
    return made


def _differences(design: Design, executed: Mapping[str, Any]) -> Iterator[Cause]:
    """One cause for all parameters, by the catalogue's name where it has one."""
    asked = design.form.optimizers
    if all(executed[name] == asked[name] for name in asked):
        return
    for known in NAMES.values():
        if known.kind not in ("optimizer", "penalty"):
            continue
        for value in _values_of(executed, asked) if known.free else known.values:
            one = cause_of(known, value, numbers=int(known.free))
            changed = one.to(design)
            if changed is None or changed.form.optimizers != dict(executed):
                continue
            if replace(changed, form=design.form) == replace(design, form=design.form):
                yield one
                return
    said = []
    for name, optimizer in executed.items():
        its = asked[name]
        if type(optimizer) is not type(its):
            said.append(f"{type(optimizer).__name__} steps the {name}, {type(its).__name__} was asked")
        said += [
            f"{key} of the {name} is {value!r}, asked {getattr(its, key)!r}"
            for key, value in vars(optimizer).items()
            if value != getattr(its, key, value)
        ]
    yield cause("optimizer-numbers", partial(_with_rules, rules=executed), said="; ".join(said))


def _values_of(executed: Mapping[str, Any], asked: Mapping[str, Any]) -> list[float]:
    """The numbers that differ, and how many times the asked ones they are."""
    differing = []
    for name, optimizer in executed.items():
        for key, mine in vars(optimizer).items():
            its = getattr(asked[name], key, None)
            pairs = (
                zip(mine, its, strict=False) if isinstance(mine, tuple) and isinstance(its, tuple) else [(mine, its)]
            )
            for one, other in pairs:
                if isinstance(one, float) and isinstance(other, float) and one != other:
                    differing += [one, one / other] if other else [one]
    return list(dict.fromkeys(differing))


def _rate_causes(design: Design, listed: Mapping[str, Array]) -> Iterator[Cause]:
    first = next(iter(listed.values()))
    same = all(np.array_equal(first, other, equal_nan=True) for other in listed.values())
    if not same or not np.isfinite(first).all() or len({design.rates(name)[0] for name in listed}) > 1:
        return
    exact = Series(first, 1e-12 * np.abs(first))
    yield from rates.causes(design, exact, recorded=True)


# -- the rate, measured ------------------------------------------------------------------------------------------------


def _rates(chain: Chain, seen: Design) -> Series | None:
    """η_k·s_k where every step is s_k times the asked one; None where it is not."""
    engine = chain.engine
    weights = engine.recording.weights
    with np.errstate(all="ignore"):
        predicted = engine.weights([seen])
    allowance = engine.allowances(seen)
    low, high = np.full(seen.steps, -np.inf), np.full(seen.steps, np.inf)
    for name, recorded in weights.items():
        start = seen.begins.get(name, recorded[:-1]).reshape(seen.steps, -1)
        moved = engine.candidate(seen, name).reshape(seen.steps, -1) - start
        asked = predicted[name][0].reshape(seen.steps, -1) - start
        room = allowance[name]
        square = np.sum(asked**2, axis=1)
        if np.any(square == 0) or not np.isfinite(asked).all():
            return None
        s = np.sum(moved * asked, axis=1) / square
        bar = np.sum(np.abs(asked) * room, axis=1) / square
        if np.any(np.abs(moved - s[:, None] * asked) > (1 + np.abs(s[:, None])) * room + np.abs(asked) * bar[:, None]):
            return None
        low, high = np.maximum(low, s - 2 * bar), np.minimum(high, s + 2 * bar)
    if np.any(low > high):
        return None
    rate = seen.rates("weight")
    return Series((low + high) / 2 * rate, (high - low) / 2 * np.abs(rate))


# -- the rule ---------------------------------------------------------------------------------------------------------


def rules(chain: Chain, changed: Design) -> Iterator[tuple[Cause, ...]]:
    """The optimizer's rule, put together from links: see :mod:`parity.explain.update`. With the rates of the parameter
    groups, where these are not the asked ones and the asked ones do not do."""
    named = _rules(chain, changed)
    yield from ((one,) for one in named)
    for rate in () if named else _recorded_rates(chain, changed):
        executed = rate.to(changed)
        if executed is not None:
            yield from ((rate, one) for one in _rules(chain, executed, rates=True))


def _rules(chain: Chain, changed: Design, *, rates: bool = False) -> list[Cause]:
    """Each rule that explains the update; ``rates``: with the rate of the design that it is put into."""
    explained = rule_of(chain, changed)
    return [
        Cause(
            id=one.id,
            text=one.text,
            change=one.change,
            apply=partial(_with_rules, rules=one.rules, rates=rates),
            numbers=one.parts - 1,
        )
        for one in (() if explained is None else explained.explanations)
    ]


def _recorded_rates(chain: Chain, design: Design) -> Iterator[Cause]:
    """The likeliest cause of the rates in the parameter groups, whatever class they are of."""
    numbers = {} if chain.observed is None else chain.observed.numbers
    if design.form.optimizers.keys() <= {name for name, its in numbers.items() if "lr" in its}:
        listed = {name: np.asarray(numbers[name]["lr"], float) for name in design.form.optimizers}
        yield from islice(_rate_causes(design, listed), 1)


def rule_of(chain: Chain, changed: Design) -> UpdateExplanation | None:
    """What the optimizer did with its gradients, or those of ``changed`` where none were recorded."""
    if changed.ends or changed.begins:
        return None
    key = "rule", id(changed), chain.given is not None and chain.given.source
    if key not in chain.engine.memo:
        chain.engine.memo[key] = changed, _rule_of(chain, changed)  # the design is kept, so that no other gets its id
    explained: UpdateExplanation | None = chain.engine.memo[key][1]
    return explained


def _rule_of(chain: Chain, changed: Design) -> UpdateExplanation | None:
    recording = chain.engine.recording
    update, loss = recording.profiles["update"], chain.engine.arithmetic("loss")
    gradients = chain.engine.gradients(chain.seen(changed), loss)
    motions = [
        Motion(
            parameter=name,
            weights=weights,
            gradient=Bounded(gradients[name].value, gradients[name].error, update),
            format=recording.format(name),
            profile=update,
            factor=rate_factor(changed, name),
        )
        for name, weights in recording.weights.items()
        if not chain.idle(name)
    ]
    return explain_update(changed.form.optimizers, motions, epochs=changed.epoch)


def _with_rules(design: Design, rules: Mapping[str, Any], *, rates: bool = False) -> Design:
    """The rules in the place of the design's own, with their own rates or with those of the design."""
    if rates:
        asked: Mapping[str, Any] = design.form.optimizers
        rules = {name: with_numbers(rule, {Slot("lr"): asked[name].lr}) for name, rule in rules.items()}
    return replace(design, form=replace(design.form, optimizers={**design.form.optimizers, **rules}))
