"""Adam with both bias corrections folded into the step size and into epsilon."""
import math
import torch
from torch.optim import Optimizer


class FoldedAdam(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, *, maximize=False):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize))

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
                g = -p.grad if group["maximize"] else p.grad
                if group["weight_decay"]:
                    g = torch.add(g, p, alpha=group["weight_decay"])
                s = self.state[p]
                if not s:
                    s["step"] = 0
                    s["m"] = torch.zeros_like(p)
                    s["v"] = torch.zeros_like(p)
                s["step"] += 1
                t = s["step"]
                s["m"] += (1 - b1) * (g - s["m"])
                s["v"] += (1 - b2) * (g * g - s["v"])
                root = math.sqrt(1 - b2 ** t)
                alpha_t = group["lr"] * root / (1 - b1 ** t)
                eps_t = group["eps"] * root
                p.addcdiv_(s["m"], s["v"].sqrt().add_(eps_t), value=-alpha_t)
        return loss
