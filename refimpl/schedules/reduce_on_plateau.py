"""Reduce the rate when a metric stops improving, as ``torch.optim.lr_scheduler.ReduceLROnPlateau``.

::

    better: m < best·(1 − ε)  (min, rel)    m < best − ε  (min, abs)
            m > best·(1 + ε)  (max, rel)    m > best + ε  (max, abs)
    best ← m, n ← 0  where better,  else  n ← n + 1           n: advances in a row without improvement
    where the cooldown c > 0:   c ← c − 1, n ← 0
    where n > patience:         η′ = max(ηf, η_min);  η ← η′ where η − η′ > eps;  c ← cooldown, n ← 0

A function of the metrics, not of the count, so it has a protocol of its own (:class:`refimpl.types.Reactive`). There is
no closed form, and torch computes what is written here. "rel" takes the metric to be positive: with a negative one,
best·(1 ± ε) is on the wrong side of best, so that standing still counts as improvement.
A metric that is nan is never better. Decay moves with η: coupled (SGD) and decoupled decay shrink the weights by η·λ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.arithmetic.elementary import choose
from refimpl.ranges import NonNegative, Rate, check_fields, check_integers
from refimpl.types import Array, Number, State


@dataclass(frozen=True, kw_only=True)
class ReduceOnPlateau:
    """State: ``lr``; ``best``, absent before the first metric; counters ``num_bad_epochs``, ``cooldown_counter``."""

    mode: Literal["min", "max"] = "min"
    factor: Rate = 0.1
    patience: int = 10
    threshold: NonNegative = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: int = 0
    min_lr: NonNegative = 0.0
    eps: NonNegative = 1e-8
    per: Literal["epoch", "step"] = "epoch"

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, patience=0, cooldown=0)

    def init(self, base: Mapping[str, Number]) -> State:
        lr: Any = base["lr"]
        return {"lr": lr, "num_bad_epochs": np.array(0), "cooldown_counter": np.array(0)}

    def react(self, metric: Array, state: State) -> tuple[dict[str, Number], State]:
        lr, bad, cooling = state["lr"], state["num_bad_epochs"], state["cooldown_counter"]
        better = self._better(metric, state)
        best = choose(better, metric, state.get("best", self.worst))
        bad = choose(better, 0, bad + 1)
        bad = choose(cooling > 0, 0, bad)
        cooling = choose(cooling > 0, cooling - 1, cooling)
        late = bad > self.patience
        smaller = np.maximum(lr * self.factor, self.min_lr)  # max(ηf, η_min)
        lr = choose(late, choose(lr - smaller > self.eps, smaller, lr), lr)
        after = {
            "lr": lr,
            "best": best,
            "num_bad_epochs": choose(late, 0, bad),
            "cooldown_counter": choose(late, self.cooldown, cooling),
        }
        return {"lr": lr}, after

    @property
    def worst(self) -> float:
        """The metric that any other improves on."""
        return np.inf if self.mode == "min" else -np.inf

    def _better(self, metric: Array, state: State) -> Any:
        if "best" not in state:
            return metric < self.worst if self.mode == "min" else metric > self.worst
        best = state["best"]
        if self.mode == "min":
            return metric < (best * (1 - self.threshold) if self.threshold_mode == "rel" else best - self.threshold)
        return metric > (best * (1 + self.threshold) if self.threshold_mode == "rel" else best + self.threshold)
