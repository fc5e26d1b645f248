"""An exponential moving average of the weights, EMA, taken after each step; the training does not see it.

::

    e_1     = w_1                          the first update copies
    e_{k+1} = d·e_k + (1 − d)·w_{k+1}      d: decay

with the weights w_k after step k. This is ``torch.optim.swa_utils.AveragedModel`` with ``get_ema_multi_avg_fn(d)``.
Parameters that a step freezes are averaged as all others.

Frameworks compute the average in three forms that are equal but for rounding, the last two being torch's ``lerp`` for
1 − d below ½ and from ½ on::

    d·e + (1 − d)·w        e + (1 − d)·(w − e)        w − d·(w − e)

:class:`Bounded` averages have the largest of the three bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.arithmetic.bounded import Bounded
from refimpl.ranges import Portion, check_fields
from refimpl.types import Array


@dataclass(frozen=True, kw_only=True)
class EMA:
    """``decay`` d: how much of the average is kept in each step."""

    decay: Portion

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, average: Array | None, param: Array) -> Array:
        """The average of one parameter after a step, from that before it, None before the first."""
        if average is None:
            return param
        after: Array = combined(average, param, self.decay, 1 - self.decay)
        return after


def combined(average: Any, param: Any, kept: Any, added: Any) -> Any:
    """``kept·e + added·w``."""
    value = kept * average + added * param
    if not isinstance(value, Bounded):
        return value
    moved = param - average
    others = (average + added * moved, param - kept * moved)
    return Bounded(value.value, np.maximum.reduce([value.error, *(other.error for other in others)]), value.profile)
