"""Adadelta; the ratio of the two roots is exp of half a difference of logarithms."""
import torch
from torch.optim import Optimizer


class LogRatioAdadelta(Optimizer):
    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, *, maximize=False):
        super().__init__(params, dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rho, eps = group["rho"], group["eps"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = (p.grad.neg() if group["maximize"] else p.grad) + group["weight_decay"] * p
                st = self.state[p]
                if not st:
                    st["pair"] = [torch.zeros_like(p), torch.zeros_like(p)]
                sq, acc = st["pair"]
                sq.lerp_(g * g, 1 - rho)
                delta = g * torch.exp(0.5 * (torch.log(acc + eps) - torch.log(sq + eps)))
                acc.lerp_(delta * delta, 1 - rho)
                p.sub_(delta, alpha=group["lr"])
        return loss
