"""AdamW, and the same with one fault that shows in one situation of training only."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

FAULTS = {
    "twins": "state-shared",
    "groups": "penalty-other-strength",
    "groups-of-momenta": "beta1-other",
    "scheduled": "sequence",
    "scheduled-decay": "number-not-read",
    "scheduled-momentum": "number-not-read",
    "zero-gradient": "situation-zero-gradient",
    "zero-gradient-first": "situation-zero-gradient-first",
    "no-gradient": "moved-without-gradient",
    "no-gradients": "correction-doubled-from-1",
    "requires-no-grad": "moved-not-required",
    "unfrozen-late": "correction-late",
    "frozen-midway": "correction-counter",
    "added-later": "situation-added-later",
    "zero-dim": "situation-zero-dim",
    "empty": "situation-empty",
    "strided": "layout",
    "transposed": "layout",
    "strided-gradient": "situation-strided-gradient",
    "maximize": "maximize",
    "closure": "situation-closure",
    "reload": "state-not-restored",
    "reload-wider": "situation-reload-wider",
    "thousand": "correction-counter",
}
"""The name of the finding for the fault of each situation."""


class Faulty(torch.optim.Optimizer):
    """AdamW as it should be, but in the situation that ``fault`` names."""

    fault = ""

    def __init__(
        self,
        params: Any,
        lr: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.1,
        maximize: bool = False,
    ) -> None:
        numbers = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, numbers)
        self.first = [p for group in self.param_groups for p in group["params"]]
        self.began = {id(group): dict(group) for group in self.param_groups}
        self.calls = 0
        self.elsewhere: Any = defaultdict(dict)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.set_grad_enabled(self.fault != "closure"):
                loss = closure()
        self.calls += 1
        if self.fault == "no-gradients" and not any(p.grad is not None for g in self.param_groups for p in g["params"]):
            for s in self.state.values():
                s["t"] += 1
        for group in self.param_groups:
            for p in group["params"]:
                if self._left_out(p):
                    continue
                self._update(p, self._gradient(p, group), group, self._state(p))
        return loss

    def _left_out(self, p: Tensor) -> bool:
        if p.grad is None:
            if self.fault == "no-gradient" and p.requires_grad and not self.state.get(p):
                p.mul_(0.999)
            if self.fault == "requires-no-grad" and not p.requires_grad:
                p.mul_(0.999)
            if self.fault == "frozen-midway" and self.state.get(p):
                self.state[p]["t"] += 1
            return True
        if self.fault == "zero-gradient" and self.state.get(p) and not p.grad.any():
            return True
        if self.fault == "zero-gradient-first" and not self.state.get(p) and not p.grad.any():
            return True
        return (self.fault == "added-later" and not any(p is q for q in self.first)) or (
            self.fault == "zero-dim" and p.ndim == 0
        )

    def _gradient(self, p: Tensor, group: dict[str, Any]) -> Tensor:
        assert p.grad is not None
        g = p.grad
        if self.fault == "strided-gradient" and not g.is_contiguous():
            g = torch.as_strided(g, g.shape, torch.empty(g.shape).stride(), g.storage_offset()).clone()
        return -g if group["maximize"] and self.fault != "maximize" else g

    def _state(self, p: Tensor) -> dict[str, Any]:
        own: Any = self.elsewhere if self.fault == "reload" else self.state
        s: dict[str, Any] = own[str(tuple(p.shape)) if self.fault == "twins" else p]
        if not s:
            late = self.calls - 1 if self.fault == "unfrozen-late" else 0
            s.update(t=late, m=torch.zeros_like(p), v=torch.zeros_like(p))
        return s

    def _update(self, p: Tensor, g: Tensor, group: dict[str, Any], s: dict[str, Any]) -> None:
        first, began = self.param_groups[0], self.began.get(id(group), group)
        lr = began["lr"] if self.fault == "scheduled" else group["lr"]
        decay = group["weight_decay"]
        decay = first["weight_decay"] if self.fault == "groups" else decay
        decay = began["weight_decay"] if self.fault == "scheduled-decay" else decay
        b1, b2 = group["betas"]
        b1 = first["betas"][0] if self.fault == "groups-of-momenta" else b1
        b1 = began["betas"][0] if self.fault == "scheduled-momentum" else b1
        s["t"] += 1
        t = min(s["t"], 256) if self.fault == "thousand" else s["t"]
        if self.fault == "empty":
            g = g * (p.numel() / p.numel())
        s["m"].lerp_(g, 1 - b1)
        s["v"].mul_(b2).addcmul_(g, g, value=1 - b2)
        step = lr * (s["m"] / (1 - b1**t)) / ((s["v"] / (1 - b2**t)).sqrt() + group["eps"])
        new = p * (1 - lr * decay) - step
        if self.fault == "strided" and not p.is_contiguous() and p.T.is_contiguous() is False:
            p.contiguous().copy_(new)
        elif self.fault == "transposed" and p.ndim == 2 and p.T.is_contiguous() and not p.is_contiguous():
            p.copy_(new.T.reshape(new.shape))
        else:
            p.copy_(new)

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)
        if self.fault == "reload-wider":
            for s in self.state.values():
                s["m"] = s["m"].float()


def faulty(situation: str) -> type[Faulty]:
    """The class whose fault shows in that situation."""
    return type("Faulty", (Faulty,), {"fault": situation})
