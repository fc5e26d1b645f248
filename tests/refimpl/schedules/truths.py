"""The rates of schedules, written down a second time, in another form, and evaluated with 50 digits.

cos² of the half angle in place of 1 + cos, weighted means in place of a rise, whole-number positions in place of
quotients, products one factor after another in place of powers.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import mpmath

from refimpl.arithmetic.lift import lift
from refimpl.schedules import (
    PROGRAMMED,
    SCHEDULES,
)

COUNTS = range(41)


def learning_rate(schedule: Any, count: Any, base: Any = 0.1) -> Any:
    return schedule.at(count, {"lr": base}).get("lr", base)


DIGITS = mpmath.MPContext()
DIGITS.dps = 50


def half_angle(low: Any, high: Any, t: Any) -> Any:
    """From ``high`` at t = 0 to ``low`` at t = 1, along a cosine."""
    c = DIGITS.cospi(t / 2)
    return low + (high - low) * c * c


def product(factors: Any, start: Any) -> Any:
    for factor in factors:
        start = start * factor
    return start


def restarts(s: Any, k: int, lr: Any) -> Any:
    periods = [(0, s.T_0)]
    while periods[-1][1] <= k:
        start, end = periods[-1]
        periods.append((end, end + (end - start) * s.T_mult))
    start, end = periods[-1]
    return half_angle(s.eta_min, lr, DIGITS.mpf(k - start) / (end - start))


def triangle(s: Any, k: int) -> Any:
    """The height in whole numbers, times the scale."""
    up, down = s.step_size_up, s.step_size_down or s.step_size_up
    cycle, p = divmod(k, up + down)
    height = DIGITS.mpf(p) / up if p <= up else DIGITS.mpf(up + down - p) / down
    return height * {"triangular": 1, "triangular2": DIGITS.mpf(2) ** -cycle, "exp_range": s.gamma**k}[s.mode]


def one_cycle_at(s: Any, k: int, high: Any, top: Any, low: Any) -> Any:
    """From ``high`` to ``top``, and then in two phases to ``low``, or in three by way of ``high``."""
    N = s.steps
    corners = [(DIGITS.mpf(0), high), (s.pct_start * N - 1, top)]
    corners += [(2 * s.pct_start * N - 2, high)] if s.three_phase else []
    corners.append((DIGITS.mpf(N - 1), low))
    (a, x), (b, y) = next((pair for pair in pairwise(corners) if k <= pair[1][0]), (corners[-2], corners[-1]))
    t = (k - a) / (b - a)
    return half_angle(y, x, t) if s.anneal_strategy == "cos" else (1 - t) * x + t * y


TRUTHS: dict[str, Callable[[Any, int, Any], Any]] = {
    "constant": lambda _s, _k, lr: lr,
    "step": lambda s, k, lr: product((s.gamma for j in range(1, k + 1) if j % s.step_size == 0), lr),
    "multi_step": lambda s, k, lr: product((s.gamma for m in s.milestones if m <= k), lr),
    "exponential": lambda s, k, lr: product((s.gamma for _ in range(k)), lr),
    "constant_factor": lambda s, k, lr: lr * s.factor if k < s.total_iters else lr,
    "linear": lambda s, k, lr: (
        lr
        * (max(s.total_iters - k, 0) * s.start_factor + min(k, s.total_iters) * s.end_factor)
        / DIGITS.mpf(s.total_iters)
    ),
    "polynomial": lambda s, k, lr: lr * (DIGITS.mpf(max(s.total_iters - k, 0)) / s.total_iters) ** s.power,
    "cosine_annealing": lambda s, k, lr: half_angle(s.eta_min, lr, DIGITS.mpf(k) / s.T_max),
    "cosine_annealing_warm_restarts": restarts,
    "one_cycle": lambda s, k, _: one_cycle_at(
        s, k, s.max_lr / s.div_factor, s.max_lr, s.max_lr / s.div_factor / s.final_div_factor
    ),
    "cyclic": lambda s, k, _: s.base_lr + (s.max_lr - s.base_lr) * triangle(s, k),
    "lambda": lambda s, k, lr: lr * s.factor(k),
    "multiplicative": lambda s, k, lr: product((DIGITS.mpf(s.factor(j)) for j in range(1, k + 1)), lr),
    "sequential": lambda s, k, lr: (
        TRUTHS["linear"](s.schedules[0], k, lr)
        if k < s.milestones[0]
        else TRUTHS["polynomial"](s.schedules[1], k - s.milestones[0], lr)
    ),
    "chained": lambda s, k, lr: (
        TRUTHS["linear"](s.schedules[0], k, lr) * TRUTHS["exponential"](s.schedules[1], k, lr) / lr
    ),
}


def truth(schedule: Any, count: int, lr: float = 0.1) -> Any:
    name = next(name for name, cls in (SCHEDULES | PROGRAMMED).items() if type(schedule) is cls)
    return TRUTHS[name](lift(schedule, DIGITS.mpf), count, DIGITS.mpf(lr))
