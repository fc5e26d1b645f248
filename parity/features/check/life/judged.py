"""What a class did in each situation, beside the reference that it is held to elsewhere.

A situation is judged where the class follows its reference in the run that it is recognised by. Its numbers then are
those of the reference, and a hyper-parameter that a situation changes is changed in the reference as well::

    value asked for in the group → the same value                       where both have the same numbers at the start
    lr, weight_decay             → its own × (value ÷ value at the start)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.explain.feeds import Played
from parity.explain.finding import Finding, finding
from parity.explain.replay import field_of, with_fields
from parity.features.check import findings
from parity.features.check.examined import Examined
from parity.features.check.identify import Held, Judgement, judge, judge_with
from parity.features.check.jointly import is_joint
from parity.features.check.life.lived import Lived
from refimpl.types import Optimizer

LIKE: Mapping[str, str] = {
    "groups": "group-ignored",
    "no-gradient": "moved-without-gradient",
    "frozen-midway": "moved-frozen",
    "requires-no-grad": "moved-not-required",
    "reload": "state-not-restored",
    "strided": "layout",
    "transposed": "layout",
    "zero-gradient-first": "not-finite",
}
"""The rule of conduct that says the same of a situation, without a reference; its words are better where it speaks."""
WHERE: Mapping[str, str] = {
    "twins": "where two parameters have one shape",
    "groups": "where each group has a rate and a decay of its own",
    "groups-of-momenta": "where each group has a momentum of its own",
    "scheduled": "where the rate changes between the steps",
    "scheduled-decay": "where the weight decay changes between the steps",
    "scheduled-momentum": "where the momentum changes between the steps",
    "zero-gradient": "where a gradient is zero",
    "zero-gradient-first": "where the first gradient is zero",
    "no-gradient": "where a parameter never has a gradient",
    "no-gradients": "where a step has no gradient at all",
    "requires-no-grad": "where a parameter requires no gradient",
    "unfrozen-late": "where the first gradient of a parameter comes late",
    "frozen-midway": "where a parameter has no gradient for some steps",
    "added-later": "where a group is added after some steps",
    "zero-dim": "where a parameter has no axes",
    "empty": "where a parameter has no elements",
    "strided": "where a parameter is every second element of a row",
    "transposed": "where a parameter is stored by columns",
    "strided-gradient": "where a gradient is not contiguous",
    "maximize": "with maximize",
    "closure": "where step() is given a closure",
    "reload": "after its state was saved and loaded",
    "reload-wider": "after its state was loaded for float64 parameters",
    "thousand": "in a thousand steps",
}
"""Each situation in words that go on or begin a sentence."""
UNNAMED = re.compile(r"^update$|(^|\+)line-")
"""Findings that are no name of a fault: so few steps, of so few numbers, can be those of many other lines."""
CHANGE = "make the step right in this situation, too"
OF_FORM = ("scheduled-momentum",)
"""Situations in which algebraic forms of one rule part: one keeps b, another b·(1 − μ)."""
FREE: Mapping[str, str] = {"calls": "is not called once", "loss": "is called and its loss is not returned"}
"""What a class that is not torch's own may do with a closure. The weights are judged all the same where it was called
once."""
PROPORTIONAL = ("lr", "weight_decay")
EXPLAINED = 2
"""Situations whose steps are explained; of the others it is said that they are not those of the reference."""


@dataclass(frozen=True, kw_only=True)
class LifeVerdict:
    """``findings``: what is not as it should be. ``situations``: how many agree, with ``count`` numbers, of which
    ``share`` is the largest error ÷ allowance."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    count: int
    share: float
    situations: int


def judge_life(examined: Examined, held: Held, dtypes: Collection[str], *, shown: bool = False) -> LifeVerdict:
    """All situations, beside the references that each parameter follows in the run that was judged first.

    ``dtypes``: in which that run agrees; a situation in another one is passed over. ``shown``: whether that run showed
    that the class computes its numbers in float32.
    """
    faults = {fault.id for fault in examined.faults}
    of_life: list[Finding] = []
    left_out: dict[str, list[str]] = {}
    open_: list[str] = []
    notes: list[str] = []
    count, share, agreeing = 0, 0.0, 0
    for lived in examined.lives:
        if LIKE.get(lived.name) in faults or lived.dtype not in dtypes:
            continue
        if lived.refused or lived.absent:
            left_out.setdefault(lived.refused or lived.absent, []).append(lived.name)
            continue
        what = lived.unequal.quantity.parameter if lived.unequal else ""
        if lived.name == "closure" and what in FREE:
            notes.append(f"step(closure): its closure {FREE[what]}, otherwise than with torch's optimizers")
            if what == "calls":
                continue
        elif lived.raised or lived.unequal:
            of_life.append(_broken(lived))
            continue
        if lived.name == "thousand" and is_joint(held):
            left_out.setdefault("bounds of sums over all parameters grow too far", []).append(lived.name)
            continue
        assert lived.played is not None
        case = _beside(lived.played, held, examined.given)
        judged = judge(*case, lived.dtype, float32=examined.keeps_float32, shown=shown) if case else None
        if case is None or judged is None or not judged.bounded:
            open_.append(lived.name)
        elif judged.share <= 1:
            count, share, agreeing = count + judged.count, max(share, judged.share), agreeing + 1
        elif lived.name in OF_FORM and not _unread(*case):
            notes.append(
                f"{WHERE[lived.name]}, it departs from its reference, as forms of one rule may: {judged.first}"
            )
        else:
            of_life.append(_wrong(lived, *case, judged, explain=len(of_life) < EXPLAINED))
    if left_out:
        each = "; ".join(f"{', '.join(names)} ({words})" for words, names in left_out.items())
        notes.append(f"not lived through: {each}")
    if open_:
        notes.append(f"not judged: {', '.join(open_)}: the reference has no bound there, or no such number")
    return LifeVerdict(
        findings=tuple(_once(of_life)), notes=tuple(notes), count=count, share=share, situations=agreeing
    )


def _beside(played: Played, held: Held, given: Mapping[str, Any]) -> tuple[Held, Played] | None:
    """The reference of each parameter, and the run with its changes as changes of the reference.

    None where a hyper-parameter was changed that the reference has not, or has with another meaning.
    """
    own = {name: _of_shape(held, weights.shape[1:]) for name, weights in played.weights.items()}
    changes: dict[str, tuple[Mapping[str, Any], ...]] = {}
    for name, steps in played.changes.items():
        resolved = [_resolved(own[name], change, given) for change in steps]
        if any(one is None for one in resolved):
            return None
        changes[name] = tuple(one for one in resolved if one is not None)
    constant = [name for name, steps in changes.items() if all(step == steps[0] for step in steps)]
    own |= {name: with_fields(own[name], changes[name][0]) for name in constant}
    changes = {name: steps for name, steps in changes.items() if name not in constant}
    factor = _factor(own, changes)
    if factor is not None:
        return own, replace(played, changes={}, factor=factor)
    return own, replace(played, changes=changes)


def _of_shape(held: Held, shape: tuple[int, ...]) -> Optimizer:
    """The reference of the parameter of the first run that has as many axes; of one element, the bias's."""
    first = next(iter(held.values()))
    if len(shape) >= 2:
        return first
    return held.get("bias" if np.prod(shape) == 1 else "vector", first)


def _resolved(optimizer: Any, change: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any] | None:
    """The numbers of the reference under a change of those of the class."""
    resolved = {}
    for field, value in change.items():
        own, start = field_of(optimizer, field), given.get(field)
        if own is None:
            return None
        if _alike(own, start) and (field in PROPORTIONAL or _alike(field_of(optimizer, "lr"), given.get("lr"))):
            resolved[field] = value
        elif field in PROPORTIONAL and start:
            resolved[field] = own * (value / start)
        else:  # another momentum may mean another rate, too
            return None
    return resolved


def _alike(own: Any, given: Any) -> bool:
    return bool(own == (tuple(given) if isinstance(given, list) else given))


def _factor(own: Held, changes: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[float, ...] | None:
    """η_k/η₀, where one parameter has a rate that changes, by powers of two, and nothing else does."""
    if len(own) != 1 or len(changes) != 1:
        return None
    steps, lr = next(iter(changes.values())), field_of(next(iter(own.values())), "lr")
    if not lr or any(set(step) - {"lr"} for step in steps):
        return None
    return tuple(step.get("lr", lr) / lr for step in steps)


# -- words -------------------------------------------------------------------------------------------------------------


def _broken(lived: Lived) -> Finding:
    """It raises, or changes what must stay."""
    return Finding(
        id=f"situation-{lived.name}",
        text=f"{WHERE[lived.name]} it raises {lived.raised}"
        if lived.raised
        else f"{WHERE[lived.name]} {lived.unequal}",
        evidence="it follows its reference elsewhere" if lived.raised else "these must be equal, and are not",
        change=CHANGE,
    )


def _wrong(lived: Lived, held: Held, played: Played, judged: Judgement, *, explain: bool) -> Finding:
    """Its steps are not those of the reference: what is executed there, if that was proven."""
    where, first = WHERE[lived.name], f"first disagreement: {judged.first}"
    plain = Finding(
        id=f"situation-{lived.name}",
        text=f"{where}, it does not step as its reference",
        evidence=f"{first}; it follows its reference elsewhere",
        change=CHANGE,
    )
    if still := " and ".join(name for name, weights in played.weights.items() if not np.diff(weights, axis=0).any()):
        return replace(plain, text=f"{where}, {still} is not moved")
    if unread := _unread(held, played):
        text = f"{unread} of the group is not read in each step: another value of it has no effect"
        evidence = f"with the value at the start, all numbers lie within their bounds; {first}"
        return Finding(id="number-not-read", text=text, evidence=evidence, change=f'read group["{unread}"] in step()')
    if lived.name.startswith("reload") and (step := _anew(held, played, judged, lived.dtype)):
        evidence = f"from there on all numbers are those of a new optimizer; {first}"
        return finding("state-lost", evidence, what="its state", steps=f"step {step}", kept=f", {where}")
    explained = next(iter(findings.of_update(held, played, judged)), None) if explain and not played.changes else None
    if explained is None or UNNAMED.search(explained.id):
        return plain
    return replace(explained, text=f"{explained.text}, {where}")


def _anew(held: Held, played: Played, judged: Judgement, dtype: str) -> int:
    """The step from which on the numbers are those of the reference with an empty state; 0 where there is none."""
    k = int(np.argmax(judged.steps > 1))
    if not k or any(played.late.values()) or played.changes:
        return 0
    later: dict[str, Any] = {
        field: {name: values[k:] for name, values in getattr(played, field).items()}
        for field in ("weights", "gradients", "elsewhere")
    }
    return k if judge(held, replace(played, numbers={}, **later), dtype).share <= 1 else 0


def _unread(held: Held, played: Played) -> str:
    """The hyper-parameter whose changes the class does not follow: it steps as if there were none."""
    names = sorted({field for steps in played.changes.values() for step in steps for field in step})
    still = replace(played, changes={})
    return names[0] if len(names) == 1 and judge_with(held, still, "float64", "float64").share <= 1 else ""


def _once(all_findings: Sequence[Finding]) -> Iterator[Finding]:
    """Each cause once, with the situations in which it was seen."""
    by_cause: dict[tuple[str, str], list[Finding]] = {}
    for one in all_findings:
        by_cause.setdefault((one.id, one.text), []).append(one)
    for same in by_cause.values():
        yield same[0]
