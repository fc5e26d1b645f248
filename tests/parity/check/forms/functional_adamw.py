"""AdamW from a pure function new = f(old) bound with functools.partial; arithmetic in float64 for any dtype."""
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor


class Cell(NamedTuple):
    w: Tensor
    m: Tensor
    v: Tensor
    t: int


def adamw_map(cell: Cell, g: Tensor, *, lr, betas, eps, weight_decay) -> Cell:
    b1, b2 = betas
    w, m, v, g = (x.double() for x in (cell.w, cell.m, cell.v, g))
    t = cell.t + 1
    m = m + (g - m) * (1 - b1)
    v = v + (g * g - v) * (1 - b2)
    mhat, vhat = m / (1 - b1 ** t), v / (1 - b2 ** t)
    return Cell(w - lr * weight_decay * w - lr * mhat / (vhat.sqrt() + eps), m, v, t)


class FunctionalAdamW(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    def _load(self, p: Tensor) -> Cell:
        s = self.state[p]
        zero = torch.zeros_like(p) if not s else None
        return Cell(p, s.get("m", zero), s.get("v", zero), s.get("t", 0))

    def _store(self, p: Tensor, cell: Cell) -> None:
        p.copy_(cell.w)
        self.state[p] = {"m": cell.m.to(p.dtype), "v": cell.v.to(p.dtype), "t": cell.t}

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            f = partial(adamw_map, **{k: group[k] for k in ("lr", "betas", "eps", "weight_decay")})
            for p in group["params"]:
                if p.grad is not None:
                    self._store(p, f(self._load(p), p.grad))
        return loss
