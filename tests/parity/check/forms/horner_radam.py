"""RAdam; 1 - b^t = (1-b)(1 + b + ... + b^(t-1)) with the bracket by Horner's rule, and torch.where for the switch."""
import torch
from torch.optim import Optimizer


def horner(beta, n):
    """1 + beta + ... + beta^(n-1)"""
    acc = 0.0
    for _ in range(n):
        last, acc = acc, acc * beta + 1.0
        if acc == last:  # converged to 1/(1-beta) in floating point
            break
    return acc


class HornerRAdam(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

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
                g = p.grad.add(p, alpha=group["weight_decay"])
                st = self.state[p]
                if not st:
                    st["step"] = torch.tensor(0)
                    st["m"], st["v"] = torch.zeros_like(p), torch.zeros_like(p)
                st["step"] += 1
                n = int(st["step"])
                st["m"].lerp_(g, 1 - b1)
                st["v"].mul_(b2).addcmul_(g, g, value=1 - b2)
                h1, h2 = horner(b1, n), horner(b2, n)
                rho_inf = 2 / (1 - b2) - 1
                c2 = (1 - b2) * h2
                rho = torch.tensor(rho_inf - 2 * n * (1 - c2) / c2, dtype=torch.float64)
                rect = ((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho)).sqrt()
                adaptive = (rect * c2 ** 0.5).to(p.device, p.dtype) / (st["v"].sqrt() + group["eps"])
                factor = torch.where((rho > 5).to(p.device), adaptive, torch.ones_like(p))
                p.addcmul_(st["m"], factor, value=-group["lr"] / ((1 - b1) * h1))
        return loss
