"""Optimizer classes that several tests make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from parity.explain.finding import Diagnosis
from parity.features.check.examine import examine
from parity.features.check.optimizer import conclude

Step = Callable[[Tensor, Tensor, dict[str, Any], dict[str, Any]], None]
DECAYED = {"lr": 0.01, "weight_decay": 0.1}


def made(step: Step, name: str = "Own", skip_none: bool = True, **defaults: Any) -> type[torch.optim.Optimizer]:
    """An optimizer class of a function ``step(param, grad, group, state)``."""

    class Own(torch.optim.Optimizer):
        def __init__(self, params: Any, lr: float = 0.01, weight_decay: float = 0.0) -> None:
            super().__init__(params, {"lr": lr, "weight_decay": weight_decay, **defaults})

        @torch.no_grad()
        def step(self) -> None:
            for group in self.param_groups:
                for param in group["params"]:
                    if param.grad is not None or not skip_none:
                        step(param, param.grad, group, self.state[param])

    Own.__name__ = name
    return Own


def own(step: Step, hyper: Mapping[str, Any] | None = None, against: str | None = None, **kind: Any) -> Diagnosis:
    """A class of a test, in this process and in float64."""
    return conclude(examine(made(step, **kind), hyper or {}, ("float64",)), hyper or {}, against)


def descend(param: Tensor, grad: Tensor, group: dict[str, Any], _: Any, factor: float = 1.0) -> None:
    param.add_(grad, alpha=-factor * group["lr"])
