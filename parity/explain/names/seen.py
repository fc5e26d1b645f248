"""What was done to the gradient between the backward pass and the optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from parity.explain.cause import Cause, cause
from parity.explain.faults.twists import Centralised, Masked
from parity.explain.measure.chain import SLACK, Chain
from parity.explain.measure.series import steps_text
from parity.explain.pattern import which
from parity.step.design import Design, Twist


def causes(chain: Chain) -> Iterator[Cause]:
    """Every such cause whose gradient is the measured one."""
    assert chain.given is not None
    yield cause("gradient-centralised", partial(twisted, twist=Centralised()))
    zero = (chain.given.value["weight"] == 0).all(axis=0)
    if zero.any() and not zero.all():
        mask = Masked((~zero).astype(float))
        yield cause("gradient-masked", partial(twisted, twist=mask), elements=which(zero))
    if chain.given.source != "weights":
        yield as_recorded(chain)


def twisted(design: Design, twist: Twist) -> Design:
    """The gradient goes through one function more on its way to the optimizer."""
    return replace(design, twists=(*design.twists, twist))


def as_recorded(chain: Chain) -> Cause:
    """Not named: the gradient that was recorded, in the place of the asked one."""
    assert chain.given is not None
    value, error = chain.given.value, chain.given.error
    off = {
        name: np.any(np.abs(value[name] - its) > SLACK * error[name], axis=1) for name, its in chain.asked.whole.items()
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
        part = f": it is no combination of the batch's rows and the weights{where}: inputs, weights or itself were "
        part += "changed"
        if where:
            part += (
                ", or rows of another batch are in it; in the other steps the batch's rows count otherwise than asked"
            )
    return cause(
        "gradient-other",
        chain.seen,
        numbers=sum(each.size for each in value.values()),
        named=False,
        names=" and ".join(name for name in off if off[name].any()) or "a parameter",
        steps=steps_text(wrong, chain.design.epoch),
        ratio=ratio,
        part=part,
    )
