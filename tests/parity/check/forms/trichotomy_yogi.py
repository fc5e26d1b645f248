"""Yogi (Zaheer et al. 2018, Algorithm 2): v0 = 0, no bias correction, eps 1e-3.

v - (1-b2)*sign(v - g^2)*g^2 is written out by its three cases."""
import torch
from torch.optim import Optimizer


class TrichotomyYogi(Optimizer):
    def __init__(self, params, lr=1e-2, betas=(0.9, 0.999), eps=1e-3):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                st = self.state[p]
                if not st:
                    st["mv"] = [torch.zeros_like(p), torch.zeros_like(p)]
                m, v = st["mv"]
                m.mul_(b1).add_(p.grad, alpha=1 - b1)
                sq = p.grad.square()
                nudge = sq * (1 - b2)
                v.copy_(torch.where(v > sq, v - nudge, torch.where(v < sq, v + nudge, v)))
                p.addcdiv_(m, v.sqrt() + group["eps"], value=-group["lr"])
        return loss
