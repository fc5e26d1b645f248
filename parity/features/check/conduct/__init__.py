"""What an optimizer must not do, whatever its rule: one function for each, run in the process of its own.

Each returns the evidence where the optimizer does it, else nothing; what it raises on the way is evidence, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from parity.explain.finding import Finding
from parity.features.check.conduct import elements, presence, surroundings
from parity.features.check.conduct.bench import Shapes
from parity.features.check.drive import Driver


@dataclass(frozen=True)
class Rule:
    """``broken(driver, shapes)``: the evidence; ``text``: what it says of the optimizer."""

    text: str
    change: str
    broken: Callable[[Driver, Shapes], str]


def faults(driver: Driver, shapes: Shapes) -> Iterator[Finding]:
    """Every rule that the optimizer breaks."""
    for id, rule in RULES.items():
        try:
            evidence = rule.broken(driver, shapes)
        except Exception as error:  # theirs, on input that every optimizer has to take
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            text = f"it raises on what every optimizer has to take: {said}"
            evidence = f"while it was checked for this: {rule.text}"
            yield Finding(id=id, text=text, evidence=evidence, change=rule.change)
            continue
        if evidence:
            yield Finding(id=id, text=rule.text, evidence=evidence, change=rule.change)


RULES: Mapping[str, Rule] = {
    "gradient-changed": Rule(
        "step() changes .grad, so that whatever reads it afterwards (accumulation, logging, clipping) is wrong",
        "work on a copy: grad = grad.add(param, alpha=weight_decay), not add_",
        presence.gradient_changed,
    ),
    "moved-without-gradient": Rule(
        "a parameter without gradient is moved, or gets a state",
        "skip parameters whose .grad is None",
        presence.without_gradient,
    ),
    "moved-frozen": Rule(
        "a parameter that was frozen is still moved", "skip parameters whose .grad is None", presence.frozen_later
    ),
    "moved-not-required": Rule(
        "a parameter that requires no gradient is moved", "skip parameters whose .grad is None", presence.never_required
    ),
    "state-not-restored": Rule(
        "the next steps are others after state_dict() and load_state_dict(): training cannot be resumed",
        "keep all that a step needs in self.state[param] and param_groups",
        surroundings.reloaded,
    ),
    "group-ignored": Rule(
        "a parameter group does not follow its own lr",
        "read lr from the group, not from the optimizer",
        presence.groups,
    ),
    "not-finite": Rule("weights become NaN or inf", "keep divisors away from 0", elements.not_finite),
    "element-left-out": Rule(
        "some elements are never updated", "let the update reach the last, shorter block", elements.left_out
    ),
    "layout": Rule(
        "a parameter that is not contiguous is updated wrongly",
        "update with torch's in-place operations; view(-1) and raw memory need contiguous tensors",
        elements.layouts,
    ),
    "global-random-state": Rule(
        "step() draws from a global random generator, so that it changes everything random after it",
        "draw from a torch.Generator of its own",
        surroundings.random_state,
    ),
    "hyper-parameters-changed": Rule(
        "step() changes hyper-parameters that it was given",
        "keep what changes in self.state",
        surroundings.hyper_changed,
    ),
    "not-repeatable": Rule(
        "two runs with the same numbers differ",
        "draw random numbers from a seeded generator only",
        surroundings.not_repeated,
    ),
}
