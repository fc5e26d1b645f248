"""SGD as people write it themselves; correct here, and every ``update`` of a subclass has one line wrong.

::

    b ← g at the first step, then μb + (1 − τ)g
    w ← w − η(g + μb) (Nesterov) or w − ηb
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class OwnSGD(Optimizer):
    """``momentum``, ``dampening``, ``nesterov`` as in ``torch.optim.SGD``."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
        **unused: Any,
    ) -> None:
        del unused
        options = {"lr": lr, "momentum": momentum, "dampening": dampening}
        super().__init__(params, options | {"nesterov": nesterov, "maximize": maximize})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # nobody's own optimizer has a closure
        del closure
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    g = -parameter.grad if group["maximize"] else parameter.grad
                    self.update(parameter, g, self.state[parameter], group)

    def update(self, w: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, momentum, dampening = group["lr"], group["momentum"], group["dampening"]
        if "velocity" not in state:
            velocity = state["velocity"] = g.clone()
        else:
            velocity = state["velocity"].mul_(momentum).add_(g, alpha=1 - dampening)
        w.sub_(lr * (g + momentum * velocity if group["nesterov"] else velocity))


class FirstStepDampened(OwnSGD):
    """The velocity starts at 0 and the first gradient enters it as any other."""

    def update(self, w: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(w)
        velocity = state["velocity"].mul_(group["momentum"]).add_(g, alpha=1 - group["dampening"])
        w.sub_(group["lr"] * velocity)


class Averaged(OwnSGD):
    """The velocity is an average of the gradients from the first one on, as Adam's m without its correction."""

    def update(self, w: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(w)
        velocity = state["velocity"].mul_(group["momentum"]).add_(g, alpha=1 - group["momentum"])
        w.sub_(group["lr"] * velocity)


class LrTimesMomentum(OwnSGD):
    """The velocity keeps ηg: a step remembers the learning rates of the steps before."""

    def update(self, w: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, momentum, dampening = group["lr"], group["momentum"], group["dampening"]
        first = "velocity" not in state
        if first:
            state["velocity"] = torch.zeros_like(w)
        velocity = state["velocity"].mul_(momentum).add_(g, alpha=lr * (1 if first else 1 - dampening))
        w.sub_(lr * g + momentum * velocity if group["nesterov"] else velocity)
