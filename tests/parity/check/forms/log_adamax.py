"""Adamax with the infinity norm in the log domain: log u <- max(log u + log b2, log(|g|+eps))."""
import math
import torch
from torch.optim import Optimizer


class LogAdamax(Optimizer):
    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            b1, b2 = group["betas"]
            shrink = math.log(b2) if b2 > 0 else -math.inf
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad + group["weight_decay"] * p
                st = self.state[p]
                if not st:
                    st["step"] = 0
                    st["exp_avg"] = torch.zeros_like(p)
                    st["log_inf"] = torch.full_like(p, -math.inf)
                st["step"] += 1
                st["exp_avg"].lerp_(g, 1 - b1)
                st["log_inf"] = torch.maximum(st["log_inf"] + shrink, (g.abs() + group["eps"]).log())
                p.sub_(st["exp_avg"] * torch.exp(-st["log_inf"]), alpha=group["lr"] / (1 - b1 ** st["step"]))
        return loss
