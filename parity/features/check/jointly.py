"""A class that is held to a reference which shares numbers among all parameters: which options fit, and why none does.

All parameters are replayed together (:func:`parity.explain.joint.joined`), so that nothing that is said of one
parameter by itself is said here. Proposed are the reference's other options, and sums that are kept in float32::

    product, length, r     each with the roundings of float32 in the place of float64's
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from parity.explain.feeds import Played
from parity.explain.finding import Finding
from parity.explain.joint import joined
from parity.explain.replay import share_of
from parity.explain.update.references import ReferenceFit, combinations_of, shown
from parity.features.check.examined import Examined
from parity.features.check.held import demanded, key_of, motions
from parity.features.check.identify import Held, Identification, judge
from refimpl.types import Joint, Optimizer


def is_joint(held: Held) -> bool:
    """Whether some parameter is held to a reference of all parameters together."""
    return any(isinstance(optimizer, Joint) for optimizer in held.values())


def downhill(examined: Examined) -> list[Played]:
    """The run in which an estimated distance grows, where the class was fed it."""
    return [examined.runs["downhill"]] if "downhill" in examined.runs else []


def with_options(examined: Examined, key: str) -> Identification | None:
    """The reference with the numbers asked for and those of its options that fit; None where none do."""
    asked: Any = demanded(key, {}, {}, examined.given)
    for changes in combinations_of(type(asked), vars(asked)):
        held = dict.fromkeys(examined.parameters, replace(asked, **changes))
        if all(judge(held, played, "float64").share <= 1 for played in (examined.runs["drawn"], *downhill(examined))):
            optimizer = held[examined.parameters[0]]
            fit = ReferenceFit(name=key, optimizer=optimizer, changed=tuple(changes), fits=True)
            return Identification(fit=fit, held=held)
    return None


def of_joint(held: Held, played: Played, first: str) -> Finding:
    """What was executed in the place of the reference, proven; or that the update is not that of it."""
    recorded = motions(played, "float64")
    for id, text, change, other, how in _others(held, played):
        share = max(share_of(other[motion.parameter], [motion]) for motion in joined(other, recorded, **how))
        if share <= 1:
            evidence = f"so all recorded weights lie within their bounds, at most {share:.2g} of them used; {first}"
            return Finding(id=id, text=text, evidence=evidence, change=change)
    rule = next(iter(held.values()))
    name = key_of(rule)
    return Finding(
        id="update",
        text=f"the update is not that of {name}; {first}",
        evidence=f"neither are other options of {name} it, nor sums that are kept in float32; {first}",
        change=f"compare with {shown(rule)}",
    )


def _others(held: Held, played: Played) -> Iterator[tuple[str, str, str, Held, dict[str, Any]]]:
    """Id, text, advice, the optimizers that the run may be of instead, and how their sums are to be taken."""
    rule: Any = next(iter(held.values()))
    alone, own = dict.fromkeys(held, rule), {"kept": played.kept}
    if alone != held:
        text = "every group is stepped with the numbers of the first one"
        yield "numbers-of-the-first-group", text, "read the numbers of a parameter from its own group", alone, own
    options = {f.name: getattr(rule, f.name) for f in fields(rule)}
    for changes in combinations_of(type(rule), options):
        if changes:
            said = ", ".join(f"{n} = {value!r} is executed, {options[n]!r} was asked" for n, value in changes.items())
            other = {name: _with(optimizer, changes) for name, optimizer in held.items()}
            yield f"option-{'-'.join(changes)}", said, f"use {' and '.join(changes)} as asked", other, own
    text = "the sums over all parameters are kept in float32, whatever format the parameters have"
    advice = "keep them as Python numbers, or in the format of the parameters"
    yield "float32-sums", text, advice, held, own | {"sums": "float32"}
    if kept := ", ".join(key for key in rule.shared if key in played.kept):
        text = f"the {kept} that its group keeps is not what it steps with"
        yield "distance-kept", text, f"step with the {kept} of the group", held, {}


def _with(optimizer: Any, changes: Mapping[str, Any]) -> Optimizer:
    changed: Optimizer = replace(optimizer, **changes)
    return changed
