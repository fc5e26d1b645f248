"""RMSprop with momentum by foreach; the velocity is stored times lr and converted when lr changes."""
import torch
from torch.optim import Optimizer


class ForeachRMSprop(Optimizer):
    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False):
        super().__init__(
            params,
            dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, centered=centered),
        )

    def _fresh(self, group, p):
        st = dict(square_avg=torch.zeros_like(p), unit=1.0, moved=torch.zeros_like(p))
        if group["centered"]:
            st["grad_avg"] = torch.zeros_like(p)
        return st

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            ps = [p for p in group["params"] if p.grad is not None]
            if not ps:
                continue
            for p in ps:
                if not self.state[p]:
                    self.state[p] = self._fresh(group, p)
            states = [self.state[p] for p in ps]
            self._run(group, ps, states)
        return loss

    def _run(self, group, ps, states):
        a, lr, mu = group["alpha"], group["lr"], group["momentum"]
        gs = [p.grad for p in ps]
        if group["weight_decay"]:
            gs = torch._foreach_add(gs, ps, alpha=group["weight_decay"])
        sq = [s["square_avg"] for s in states]
        torch._foreach_lerp_(sq, torch._foreach_mul(gs, gs), 1 - a)
        if group["centered"]:
            means = [s["grad_avg"] for s in states]
            torch._foreach_lerp_(means, gs, 1 - a)
            den = torch._foreach_addcmul(sq, means, means, value=-1)
            torch._foreach_sqrt_(den)
        else:
            den = torch._foreach_sqrt(sq)
        torch._foreach_add_(den, group["eps"])
        if mu <= 0:
            torch._foreach_addcdiv_(ps, gs, den, value=-lr)
            return
        if lr != 0:
            for s in states:
                if s["unit"] != lr:
                    s["moved"].mul_(lr / s["unit"])
                    s["unit"] = lr
        moved = [s["moved"] for s in states]
        torch._foreach_mul_(moved, mu)
        torch._foreach_addcdiv_(moved, gs, den, [s["unit"] for s in states])
        if lr != 0:
            torch._foreach_sub_(ps, moved)
