"""RMSprop on the discounted sum of squares S (average = (1-a) S); sqrt(1-a) is taken out of root and eps."""
import math
import torch
from torch.optim import Optimizer


class SumRMSprop(Optimizer):
    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, *, maximize=False):
        super().__init__(
            params,
            dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, maximize=maximize),
        )

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            a, mu = group["alpha"], group["momentum"]
            out = math.sqrt(1 - a)
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad * (-1 if group["maximize"] else 1) + p * group["weight_decay"]
                st = self.state[p]
                if not st:
                    st["sum"], st["alpha"], st["velocity"] = torch.zeros_like(p), a, torch.zeros_like(p)
                if st["alpha"] != a:
                    st["sum"] *= (1 - st["alpha"]) / (1 - a)
                    st["alpha"] = a
                st["sum"].mul_(a).add_(g.square())
                scaled = g / st["sum"].sqrt().add_(group["eps"] / out)
                if mu > 0:
                    st["velocity"].mul_(mu).add_(scaled, alpha=1 / out)
                    p.sub_(st["velocity"], alpha=group["lr"])
                else:
                    p.sub_(scaled, alpha=group["lr"] / out)
        return loss
