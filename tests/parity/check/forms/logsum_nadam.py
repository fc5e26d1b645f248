"""NAdam; the product of the momentum schedule is kept as a sum of logarithms."""
import math
import torch
from torch.optim import Optimizer


def _log(x):
    return math.log(x) if x > 0 else -math.inf


class LogSumNAdam(Optimizer):
    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3,
                 decoupled_weight_decay=False):
        super().__init__(
            params,
            dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay,
                 decoupled_weight_decay=decoupled_weight_decay),
        )

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            b1, b2 = group["betas"]
            lr, wd, psi = group["lr"], group["weight_decay"], group["momentum_decay"]
            mu_at = lambda t: b1 * (1 - 0.5 * math.exp(t * psi * math.log(0.96)))  # noqa: E731
            for p in group["params"]:
                if p.grad is None:
                    continue
                st = self.state[p]
                if not st:
                    st.update(t=0, log_product=0.0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                st["t"] += 1
                t = st["t"]
                g = p.grad
                if wd:
                    if group["decoupled_weight_decay"]:
                        p.mul_(1 - lr * wd)
                    else:
                        g = g.add(p, alpha=wd)
                mu, mu_next = mu_at(t), mu_at(t + 1)
                st["log_product"] += _log(mu)
                st["m"].mul_(b1).add_(g, alpha=1 - b1)
                st["v"].mul_(b2).addcmul_(g, g, value=1 - b2)
                denom = (st["v"] / (1 - b2 ** t)).sqrt() + group["eps"]
                now = (1 - mu) / -math.expm1(st["log_product"])
                ahead = mu_next / -math.expm1(st["log_product"] + _log(mu_next))
                p.sub_((now * g + ahead * st["m"]) / denom, alpha=lr)
        return loss
