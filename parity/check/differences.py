"""In what an optimizer class differs from the reference that was demanded, said by what it is instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from parity.check.decay import Decay, alike, always_of, decay_of
from parity.check.examined import Examined
from parity.check.feeds import decay_of as strength
from parity.check.feeds import rate_of
from parity.check.held import key_of, motions, reference_runs
from parity.check.identify import Identity, Judgement, judge
from parity.check.rules import RULES
from parity.explain.family import shown
from parity.explain.finding import Finding
from parity.explain.law import Law, measure_all
from parity.explain.words import Sentence, in_words
from refimpl.types import Optimizer


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What is known of a class: its runs, its decay by parameter, its laws, and the reference that it is."""

    examined: Examined
    decays: Mapping[str, Decay]
    laws: Sequence[Law]
    identity: Identity | None


def differences(measured: Measured, reference: Optimizer, judged: Judgement) -> list[Finding]:
    """Why a class is not this reference, in the order: decay, numbers, rule."""
    evidence = f"first disagreement: {judged.first}"
    decay = list(_decay(measured, reference, evidence))
    if decay and _same_but_for_decay(measured, reference):
        return decay
    return [*decay, *_rule(measured, reference, evidence, bool(decay))]


def words(measured: Measured, reference: Optimizer) -> list[Sentence]:
    """The measured law beside the reference's own, where both are linear."""
    explained = [law for law in measured.laws if law.explained]
    if not explained:
        return []
    runs = reference_runs(reference, measured.examined.shapes)
    asked = measure_all(motions(runs["drawn"], "float64"))
    return in_words(explained, [law for law in asked if law.explained])


def _decay(measured: Measured, reference: Any, evidence: str) -> Iterator[Finding]:
    """Each kind of decay that is not the reference's, with the parameters that have it."""
    runs, name = reference_runs(reference, measured.examined.shapes), key_of(reference)
    lr, lam = rate_of(vars(reference)), strength(vars(reference))
    switched_on = measured.examined.given.get("weight_decay") or getattr(reference, "weight_decay", 0)
    different: dict[tuple[str, str], list[str]] = {}
    for parameter, decay in measured.decays.items():
        mine, its = decay, decay_of(runs, parameter, lr, lam)
        if not switched_on:
            mine, its = always_of(measured.examined.runs, parameter), always_of(runs, parameter)
        if not alike(mine, its):
            different.setdefault((mine.text, its.text), []).append(parameter)
    for (mine_text, its_text), parameters in different.items():
        of = "" if len(parameters) == len(measured.decays) else f" of {' and '.join(parameters)}"
        text = f"the decay{of} is {mine_text}; that of {name} is {its_text}"
        yield Finding(id="decay", text=text, evidence=evidence, change=f"decay as {name} does: {RULES[name]}")


def _same_but_for_decay(measured: Measured, reference: Any) -> bool:
    """Whether it is the reference in the runs without decay."""
    plain = measured.examined.runs.get("plain")
    if plain is None or "weight_decay" not in {field.name for field in fields(reference)}:
        return False
    held = dict.fromkeys(measured.examined.shapes, replace(reference, weight_decay=0.0))
    return judge(held, plain, "float64").share <= 1


def _rule(measured: Measured, reference: Any, evidence: str, decay_said: bool) -> Iterator[Finding]:
    """Numbers and options of the same rule, or another rule."""
    name = key_of(reference)
    if measured.identity is None:
        said = [str(sentence) for sentence in words(measured, reference) if not sentence.as_asked]
        text = "; ".join(said) or f"the update is not that of {name} ({RULES[name]}), nor of any other reference"
        yield Finding(id="update", text=text, evidence=evidence, change=f"compare with {name}: {RULES[name]}")
        return
    mine: Any = measured.identity.fit.optimizer
    if type(mine) is not type(reference):
        its = key_of(mine)
        text = f"the update is that of {its}, {shown(mine)}: {RULES[its]}; that of {name} is: {RULES[name]}"
        yield Finding(id="update", text=text, evidence=evidence, change=f"use {name}, or hold it to {its}")
        return
    for field in fields(mine):
        one, other = getattr(mine, field.name), getattr(reference, field.name)
        if one != other and not (decay_said and field.name == "weight_decay"):
            text = f"{field.name} = {one!r} is executed, {name} was demanded with {other!r}"
            yield Finding(
                id=f"number-{field.name}", text=text, evidence=evidence, change=f"set {field.name} to {other!r}"
            )


def executed(measured: Measured) -> Iterator[Finding]:
    """Hyper-parameters that are executed with another value than the one that was given."""
    assert measured.identity is not None
    fit, given = measured.identity.fit, measured.examined.given
    for name in dict.fromkeys(changed.partition("[")[0] for changed in fit.changed):
        if name in given and hasattr(fit.optimizer, name):
            value = getattr(fit.optimizer, name)
            text = f"{name} = {given[name]!r} was given, {value!r} is executed"
            evidence = f"with it, all recorded numbers are those of {shown(fit.optimizer)}"
            yield Finding(id=f"number-{name}", text=text, evidence=evidence, change=f"use {name} as it is given")


def in_dtypes(judged: Mapping[str, Judgement], raised: Mapping[str, str], name: str) -> Iterator[Finding]:
    """Where float64 agrees and another dtype does not."""
    for dtype, one in judged.items():
        if dtype != "float64" and one.share > 1:
            text = f"{dtype}: it is not {name}, though it is in float64; off by {one.share:.3g} times the tolerance"
            yield Finding(id=f"dtype-{dtype}", text=text, evidence=f"first disagreement: {one.first}")
    for dtype, said in raised.items():
        yield Finding(id=f"dtype-{dtype}", text=f"{dtype}: it raises {said}", evidence="it steps in float64")


def broken_rules(examined: Examined) -> list[Finding]:
    """What no optimizer must do."""
    return [Finding(id=f.id, text=f.text, evidence=f.evidence, change=f.change) for f in examined.faults]
