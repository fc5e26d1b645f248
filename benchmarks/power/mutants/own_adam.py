"""Adam and AdamW as people write them themselves; correct here, and a subclass has one line wrong.

::

    g ← g + λw (Adam)  or  w ← w(1 − ηλ) (AdamW)
    m ← β₁m + (1 − β₁)g                 v ← β₂v + (1 − β₂)g²
    c₁ = 1 − β₁ᵗ                        c₂ = 1 − β₂ᵗ
    v̄ ← max(v̄, v) (amsgrad) or v
    w ← w − η(m/c₁) / (√(v̄/c₂) + ε)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class OwnAdam(Optimizer):
    """Options as in ``torch.optim.Adam``; ``decoupled`` makes it AdamW."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        maximize: bool = False,
        decoupled: bool = False,
        **unused: Any,
    ) -> None:
        del unused
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        super().__init__(params, options | {"maximize": maximize, "decoupled": decoupled})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # nobody's own optimizer has a closure
        del closure
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.update(parameter, parameter.grad, self.state[parameter], group)

    def update(self, w: Tensor, g: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        lr, (beta1, beta2), decay = group["lr"], group["betas"], group["weight_decay"]
        if not state:
            state |= {"t": 0, "m": torch.zeros_like(w), "v": torch.zeros_like(w), "v_max": torch.zeros_like(w)}
        state["t"] += 1
        g = -g if group["maximize"] else g
        if decay and not group["decoupled"]:
            g = g + decay * w
        state["m"] = beta1 * state["m"] + (1 - beta1) * g
        state["v"] = self.second_moment(state["v"], g, w, group)
        c1, c2 = self.corrections(state["t"], beta1, beta2)
        if decay and group["decoupled"]:
            w.mul_(1 - lr * decay)
        w.sub_(lr * (state["m"] / c1) / self.denominator(state, c2, group))

    def second_moment(self, v: Tensor, g: Tensor, w: Tensor, group: dict[str, Any]) -> Tensor:
        del w
        beta2: float = group["betas"][1]
        return beta2 * v + (1 - beta2) * g * g

    def corrections(self, t: int, beta1: float, beta2: float) -> tuple[float, float]:
        return 1 - beta1**t, 1 - beta2**t

    def denominator(self, state: dict[str, Any], c2: float, group: dict[str, Any]) -> Tensor:
        eps: float = group["eps"]
        return torch.sqrt(self.largest(state, state["v"], group) / c2) + eps

    def largest(self, state: dict[str, Any], v: Tensor, group: dict[str, Any]) -> Tensor:
        """v̄."""
        state["v_max"] = torch.maximum(state["v_max"], v) if group["amsgrad"] else v
        largest: Tensor = state["v_max"]
        return largest


class WithoutFirstCorrection(OwnAdam):
    """m is used as it is: the first steps are too small."""

    def corrections(self, t: int, beta1: float, beta2: float) -> tuple[float, float]:
        del beta1
        return 1.0, 1 - beta2**t


class WithoutSecondCorrection(OwnAdam):
    """v is used as it is: the first steps are too large."""

    def corrections(self, t: int, beta1: float, beta2: float) -> tuple[float, float]:
        del beta2
        return 1 - beta1**t, 1.0


class WithoutCorrections(OwnAdam):
    """Both moments are used as they are."""

    def corrections(self, t: int, beta1: float, beta2: float) -> tuple[float, float]:
        del t, beta1, beta2
        return 1.0, 1.0


class LateCorrections(OwnAdam):
    """t is counted up after the step, and 0 would divide by 0: 1, 1, 2, 3, …"""

    def corrections(self, t: int, beta1: float, beta2: float) -> tuple[float, float]:
        return super().corrections(max(t - 1, 1), beta1, beta2)


class EpsInsideRoot(OwnAdam):
    """√(v/c₂ + ε)."""

    def denominator(self, state: dict[str, Any], c2: float, group: dict[str, Any]) -> Tensor:
        return torch.sqrt(self.largest(state, state["v"], group) / c2 + group["eps"])


class EpsBeforeCorrection(OwnAdam):
    """(√v + ε)/√c₂: the reordered form of the paper, with its ε for ε̂."""

    def denominator(self, state: dict[str, Any], c2: float, group: dict[str, Any]) -> Tensor:
        eps: float = group["eps"]
        return (torch.sqrt(self.largest(state, state["v"], group)) + eps) / math.sqrt(c2)


class AmsgradAfterCorrection(OwnAdam):
    """The maximum is taken over v/c₂."""

    def denominator(self, state: dict[str, Any], c2: float, group: dict[str, Any]) -> Tensor:
        eps: float = group["eps"]
        return torch.sqrt(self.largest(state, state["v"] / c2, group)) + eps


class SecondMomentOfDecayedGradient(OwnAdam):
    """The decay beside the step, and in v as well: half coupled."""

    def second_moment(self, v: Tensor, g: Tensor, w: Tensor, group: dict[str, Any]) -> Tensor:
        return super().second_moment(v, g + group["weight_decay"] * w, w, group)


class SecondMomentUndecayed(OwnAdam):
    """v ← β₂v + g²: the factor 1 − β₂ is forgotten."""

    def second_moment(self, v: Tensor, g: Tensor, w: Tensor, group: dict[str, Any]) -> Tensor:
        del w
        beta2: float = group["betas"][1]
        return beta2 * v + g * g
