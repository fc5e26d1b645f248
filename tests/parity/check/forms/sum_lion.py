"""Lion with its momentum as a discounted sum: m = (1-b2) s.  The sign sees b1*(1-b2)*s + (1-b1)*g."""
import torch
from torch.optim import Optimizer


class SumLion(Optimizer):
    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

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
                    st["sum"], st["b2"] = torch.zeros_like(p), b2
                if st["b2"] != b2:
                    st["sum"].mul_((1 - st["b2"]) / (1 - b2))
                    st["b2"] = b2
                vote = st["sum"].mul(b1 * (1 - b2)).add_(p.grad, alpha=1 - b1).sign_()
                st["sum"].mul_(b2).add_(p.grad)
                p.sub_(vote.add_(p, alpha=group["weight_decay"]), alpha=group["lr"])
        return loss
