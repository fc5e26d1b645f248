"""What was done to the gradient between the backward pass and the optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from parity.explain.cause import Cause
from parity.explain.faults.twists import Centralised, Masked
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import steps_text
from parity.explain.names.option import holds
from parity.explain.pattern import which


def causes(chain: Chain) -> Iterator[Cause]:
    """Every such cause whose gradient is the measured one."""
    for file in (_centralised, _masked):
        yield from file(chain)
    if chain.given is not None and chain.given.source != "weights":
        yield as_recorded(chain)


def _centralised(chain: Chain) -> Iterator[Cause]:
    """g − mean(g) of the weight."""
    cause = Cause(
        id="gradient-centralised",
        text="the mean of its elements is subtracted from the weight's gradient (gradient centralisation)",
        change="step along the gradient itself",
        apply=lambda design: replace(design, twists=(*design.twists, Centralised())),
    )
    if holds(chain, cause):
        yield cause


def _masked(chain: Chain) -> Iterator[Cause]:
    """Elements whose gradient is always 0."""
    assert chain.given is not None
    g = chain.given.value["weight"]
    zero = (g == 0).all(axis=0)
    if not zero.any() or zero.all():
        return
    mask = (~zero).astype(float)
    cause = Cause(
        id="gradient-masked",
        text=f"{which(zero)} of the weight gets no gradient: it is 0 in every step",
        change="look for a mask, a padding index, or a slice that stops short",
        apply=lambda design: replace(design, twists=(*design.twists, Masked(mask))),
    )
    if holds(chain, cause):
        yield cause


def as_recorded(chain: Chain) -> Cause:
    """Not named: the gradient that was recorded, in the place of the asked one."""
    assert chain.given is not None
    weights = chain.engine.recording.weights
    given = {name: each.reshape(weights[name][1:].shape) for name, each in chain.given.value.items()}
    asked = {"weight": chain.asked.weight, "bias": chain.asked.total_bias}
    off = {
        name: np.any(np.abs(chain.given.value[name] - its) > SLACK * chain.given.error[name], axis=1)
        for name, its in asked.items()
        if its is not None
    }
    wrong = np.any([*off.values()], axis=0)
    ratio = np.linalg.norm(chain.given.value["weight"] - chain.asked.weight) / np.linalg.norm(chain.asked.weight)
    part = ""
    if chain.rows is not None and chain.rows.explained:
        part = ": it is a combination of the batch's rows and of what penalties add, otherwise than asked"
        if chain.as_asked("data") and SLACK * np.linalg.norm(chain.bars.data) < 0.01 * np.linalg.norm(chain.asked.data):
            part = ": what the rows give is as asked, what is added to it is not"
    elif chain.rows is not None:
        bad = chain.rows.left > 1
        where = "" if bad[wrong].all() else f" in {steps_text(bad, chain.design.epoch)}"
        part = (
            f": it is no combination of the batch's rows and the weights{where}: inputs, weights or itself were changed"
        )
        if where:
            part += (
                ", or rows of another batch are in it; in the other steps the batch's rows count otherwise than asked"
            )
    which_ones = " and ".join(name for name in off if off[name].any()) or "a parameter"
    text = (
        f"the gradient of {which_ones} is not the asked one, in "
        f"{steps_text(wrong, chain.design.epoch)}, by {ratio:.2g} of its size{part}"
    )
    return Cause(
        id="gradient-other",
        text=text,
        change="look at everything between the batch and the optimizer: inputs, model, loss, hooks",
        apply=lambda design: replace(design, given=given),
        numbers=sum(each.size for each in given.values()),
        named=False,
    )
