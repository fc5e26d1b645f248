"""AdamW which stores the root of the second moment and advances it with hypot (no squares that underflow)."""
from math import sqrt

import torch


class HypotAdamW(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, *, maximize=False):
        super().__init__(
            params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize)
        )

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()

        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            sign = -1.0 if group["maximize"] else 1.0
            for p in filter(lambda q: q.grad is not None, group["params"]):
                state = self.state[p]
                if not state:
                    state["step"] = torch.zeros((), dtype=torch.int64)
                    state["mean"] = torch.zeros_like(p)
                    state["rms"] = torch.zeros_like(p)
                state["step"] += 1
                t = state["step"].item()
                mean, rms = state["mean"], state["rms"]
                mean.mul_(beta1).add_(p.grad, alpha=sign * (1 - beta1))
                rms.copy_(torch.hypot(rms * sqrt(beta2), p.grad * sqrt(1 - beta2)))
                step_dir = mean / (rms / sqrt(1 - beta2 ** t) + group["eps"]) / (1 - beta1 ** t)
                p.add_(step_dir + group["weight_decay"] * p, alpha=-group["lr"])
        return loss
