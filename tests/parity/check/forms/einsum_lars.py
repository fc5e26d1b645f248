"""LARS (You et al. 2017): v <- mu*v + lr*local*(g + wd*w), w <- w - v, local = eta*|w|/(|g| + wd*|w|).

The learning rate is inside the velocity as in the paper; local = 1 where |w| or |g| is 0.
Norms by einsum; the velocity is kept negated and simply added; local is divided through by |w|."""
import torch
from torch.optim import Optimizer


def _norm(x):
    flat = x.reshape(-1).double()
    return torch.einsum("i,i->", flat, flat).sqrt().item()


class EinsumLARS(Optimizer):
    def __init__(self, params, lr=0.1, momentum=0.9, weight_decay=0.0, trust_coefficient=0.001):
        super().__init__(
            params,
            dict(lr=lr, momentum=momentum, weight_decay=weight_decay, trust_coefficient=trust_coefficient),
        )

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            wd, eta = group["weight_decay"], group["trust_coefficient"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                wn, gn = _norm(p), _norm(p.grad)
                local = eta / (gn / wn + wd) if wn > 0 and gn > 0 else 1.0
                gain = -group["lr"] * local
                fall = self.state[p].setdefault("fall", torch.zeros_like(p))
                fall.mul_(group["momentum"]).add_(p.grad, alpha=gain).add_(p, alpha=gain * wd)
                p.add_(fall)
        return loss
