"""How often the optimizer was called for each parameter, as it was recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.measure.chain import COUPLED, Chain
from parity.explain.measure.series import steps_text
from parity.explain.observed import Observed
from parity.step.design import Design
from refimpl.types import Array


def causes(chain: Chain, design: Design) -> Iterator[Cause]:
    """Name the counts, where they are not 1 in every step."""
    observed = chain.observed
    if observed is None or design.calls is not None:
        return
    weights = chain.engine.recording.weights
    counts = {name: np.asarray(observed.calls[name], int) for name in weights if name in observed.calls}
    if set(counts) != set(weights) or any(len(each) != design.steps or not each.any() for each in counts.values()):
        return
    if all((each == 1).all() for each in counts.values()):
        return
    first = next(iter(counts.values()))
    alike = all(np.array_equal(each, first) for each in counts.values())
    for name, each in counts.items():
        moved = np.diff(weights[name].reshape(len(weights[name]), -1), axis=0).any(axis=1)
        if np.any(moved & (each == 0)):
            return  # something else wrote it
    said = [_said("" if alike else f" for the {name}", each, design.epoch) for name, each in counts.items()]
    said = [text for text in said[: 1 if alike else None] if text]
    id = "steps-other-count"
    if alike and (first == 2).all():
        id = "step-twice"
    elif alike and set(first.tolist()) == {0, 1}:
        id = "steps-skipped"
        said = [said[0] + _condition(chain, first)]
    elif not alike:
        id = "optimizers-alternate"
    yield cause(
        id,
        lambda d: replace(d, calls=counts, splits=_decaying(observed, d, counts)),
        of="steps-other-count" if id == "step-twice" else id,
        evidence="the calls of optimizer.step() were counted",
        said="; ".join(said),
    )


Share = tuple[float, float]
SPLITS: Mapping[str, tuple[Share, ...]] = {
    "first with the gradient of the loss, then with that of loss and penalty, as it is not set to zero between them: "
    "the loss is stepped along twice": ((1.0, 0.0), (1.0, 1.0)),
    "first with the gradient of the loss, then with that of the penalty at the moved weights": (
        (1.0, 0.0),
        (0.0, 1.0),
    ),
    "first with the gradient of the penalty, then with that of the loss": ((0.0, 1.0), (1.0, 0.0)),
}
"""What two calls are given where loss and penalty go backward one by one: of the rows' part, of the penalty."""


def split(chain: Chain, design: Design) -> Iterator[Cause]:
    """Two calls in each step for the parameters that have a penalty, as by a hook that fires at every backward pass."""
    observed = chain.observed
    counts = {} if observed is None else {name: np.asarray(each, int) for name, each in observed.calls.items()}
    twice = [name for name, each in counts.items() if len(each) == design.steps and (each == 2).all()]
    if not twice or design.calls is not None or {name for name, _ in design.form.in_gradient.terms} != set(twice):
        return
    for words, shares in SPLITS.items():
        yield cause(
            "step-at-each-backward",
            partial(replace, calls=counts, splits=dict.fromkeys(twice, shares)),
            evidence="the calls of optimizer.step() were counted",
            parameters=" and ".join(twice),
            words=words,
        )


def _decaying(observed: Observed, design: Design, counts: Mapping[str, Array]) -> dict[str, tuple[Share, ...]]:
    """Parameters to which torch's optimizer adds λw itself, in every call anew, at the weights of that moment."""
    shares = {}
    for name, numbers in observed.numbers.items():
        decay = np.nan_to_num(numbers.get("weight_decay", np.zeros(1)))
        coupled = observed.optimizer.get(name) in COUPLED and not np.any(
            np.nan_to_num(numbers.get("decoupled_weight_decay", 0.0))
        )
        own = [p for n, p in design.form.in_gradient.terms if n == name]
        if coupled and decay.any() and len(own) == 1 and not design.given:
            shares[name] = ((1.0, 1.0),) * int(np.max(counts[name]))
    return shares


def _said(of: str, counts: Array, epoch: Array) -> str:
    """Say how often and when the optimizer is called; nothing where it is once in every step."""
    if (counts == 1).all():
        return ""
    if len(set(counts.tolist())) == 1:
        return f"optimizer.step() is called {_times(int(counts[0]))}{of} in every step"
    idle = counts == 0
    if idle.any():
        return f"optimizer.step() is not called{of} in {steps_text(idle, epoch)}"
    return f"optimizer.step() is called {_times(int(counts.max()))}{of} in {steps_text(counts > 1, epoch)}"


def _times(count: int) -> str:
    """A number of calls in words."""
    return {2: "twice", 3: "three times"}.get(count, f"{count} times")


def _condition(chain: Chain, counts: Array) -> str:
    """Whether the skipped steps are those of a large loss or a large gradient."""
    loss = chain.engine.recording.loss
    idle = counts == 0
    norm = None if chain.given is None else chain.norm
    for what, values in (("loss", loss), ("norm of the gradient", norm)):
        if values is None:
            continue
        if np.min(values[idle]) > np.max(values[~idle]):
            return f": those whose {what} is above {np.max(values[~idle]):.3g}, from {np.min(values[idle]):.3g} on"
        if np.max(values[idle]) < np.min(values[~idle]):
            return f": those whose {what} is below {np.min(values[~idle]):.3g}"
    return ""
