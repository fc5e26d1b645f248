"""Two functions timed side by side in one process."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.common import significant

BUDGET = 60.0
"""Seconds that one comparison may take before its rounds are cut short, on a busy machine."""


@dataclass(frozen=True)
class Timing:
    """One comparison: seconds of ours and of the peer, their ratio, and the goal where there is one."""

    what: str
    peer: str
    ours_s: float
    peer_s: float
    ratio: float
    goal: str = ""
    reached: bool | None = None
    same: str = ""

    def cells(self) -> list[str]:
        reached = {None: "", True: "yes", False: "no"}[self.reached]
        return [
            self.what,
            self.peer,
            duration(self.ours_s),
            duration(self.peer_s),
            f"{significant(self.ratio, 3)} ×",
            self.goal,
            reached,
            self.same,
        ]


def duration(seconds: float) -> str:
    """``18.2 µs``, ``412 ms``, ``1.7 s``."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{significant(seconds / size, 3)} {unit}"
    return f"{seconds * 1e6:.3f} µs"


def alternate(functions: Sequence[Callable[[], Any]], rounds: int, pause: float = 0.0) -> list[float]:
    """Smallest seconds of each function over ``rounds``, in alternating order; fewer rounds after ``BUDGET`` seconds.

    ``pause`` precedes each measurement: idle BLAS threads spin for a while and would slow the next one down.
    """
    begin = time.perf_counter()
    best = [np.inf] * len(functions)
    for function in functions:
        function()  # warm-up
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(rounds):
            if number >= 3 and time.perf_counter() - begin > BUDGET:
                break
            order = range(len(functions))
            for i in order if number % 2 == 0 else reversed(order):
                time.sleep(pause)
                start = time.perf_counter()
                functions[i]()
                best[i] = min(best[i], time.perf_counter() - start)
    finally:
        if collecting:
            gc.enable()
    return [float(seconds) for seconds in best]
