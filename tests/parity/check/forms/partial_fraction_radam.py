"""RAdam; the rectifier by partial fractions, (r-4)(r-2)/r = r - 6 + 8/r, from a small slotted helper."""
import math
import torch
from torch.optim import Optimizer


class Rectifier:
    __slots__ = ("rho", "rho_inf", "c2")

    def __init__(self, beta2, t):
        power = beta2 ** t
        self.c2 = 1.0 - power
        self.rho_inf = (1 + beta2) / (1 - beta2)
        self.rho = self.rho_inf - 2 * t * power / self.c2

    @property
    def tractable(self):
        return self.rho > 5.0

    @property
    def scale(self):
        f = lambda r: r - 6 + 8 / r  # noqa: E731
        return math.sqrt(self.c2 * f(self.rho) / f(self.rho_inf))


class PartialFractionRAdam(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False,
                 *, maximize=False):
        super().__init__(
            params,
            dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay,
                 decoupled_weight_decay=decoupled_weight_decay, maximize=maximize),
        )

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._step_one(group, p)
        return loss

    def _step_one(self, group, p):
        b1, b2 = group["betas"]
        g = p.grad.neg() if group["maximize"] else p.grad
        keep = 1.0
        if group["decoupled_weight_decay"]:
            keep = 1.0 - group["lr"] * group["weight_decay"]
        else:
            g = g + group["weight_decay"] * p
        st = self.state[p]
        if not st:
            st["moments"] = [torch.zeros_like(p), torch.zeros_like(p)]
            st["t"] = 0
        st["t"] += 1
        m, v = st["moments"]
        m.add_(g - m, alpha=1 - b1)
        v.add_(g.square() - v, alpha=1 - b2)
        change = m * (group["lr"] / (1 - b1 ** st["t"]))
        rect = Rectifier(b2, st["t"])
        if rect.tractable:
            change = change * rect.scale / (v.sqrt() + group["eps"])
        p.copy_(keep * p - change)
