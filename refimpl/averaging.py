"""Averages of the weights, taken after each step; the training does not see them.

An exponential moving average, EMA::

    e_1     = w_1                          the first update copies
    e_{k+1} = d·e_k + (1 − d)·w_{k+1}      d: decay

and the equal average of stochastic weight averaging, SWA, after n weights were averaged::

    a_1     = w_1
    a_{n+1} = a_n + (w_{n+1} − a_n)/(n + 1)

with the weights w_k after step k. These are ``torch.optim.swa_utils.AveragedModel`` with ``get_ema_multi_avg_fn(d)``
and, for SWA, without it. Source of SWA: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better
Generalization", UAI 2018, arXiv:1803.05407, Algorithm 1. Parameters that a step freezes are averaged as all others.

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

    def __call__(self, average: Array | None, param: Array, count: Any = None) -> Array:
        """The average of one parameter after a step, from that before it, None before the first; of how many weights
        that is makes no difference."""
        del count
        if average is None:
            return param
        after: Array = combined(average, param, self.decay, 1 - self.decay)
        return after


@dataclass(frozen=True, kw_only=True)
class SWA:
    """The equal average of all weights that it was given."""

    def __call__(self, average: Array | None, param: Array, count: Any) -> Array:
        """The average of one parameter, from that of the ``count`` weights before it (an int, or one for each run)."""
        if average is None:
            return param
        n = np.reshape(np.asarray(count), (-1, *(1,) * (param.ndim - 1)))
        after: Any = average + (param - average) / (n + 1)  # a + (w − a)/(n + 1)
        if isinstance(after, Bounded):  # where 1/(n + 1) may be a number that is multiplied with
            share = Bounded.hyper(1, after.profile) / (n + 1)
            others = combined(average, param, n * share, share)
            after = Bounded(after.value, np.maximum(after.error, others.error), after.profile)
        return after  # type: ignore[no-any-return]


def combined(average: Any, param: Any, kept: Any, added: Any) -> Any:
    """``kept·e + added·w``."""
    value = kept * average + added * param
    if not isinstance(value, Bounded):
        return value
    moved = param - average
    others = (average + added * moved, param - kept * moved)
    return Bounded(value.value, np.maximum.reduce([value.error, *(other.error for other in others)]), value.profile)
