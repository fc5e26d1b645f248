"""AdaBelief (paper's Algorithm 2, decoupled decay, no rectification) driven by the innovation d = g - m_old.

g - m_new = b1*(g - m_old), so s <- b2*s + (1-b2)*b1^2*d^2 + eps, and m <- m + (1-b1)*d."""
import torch
from torch.optim import Optimizer


class InnovationAdaBelief(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-16, weight_decay=0):
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
                st = self.state[p]
                if not st:
                    st.update(t=0, m=torch.zeros_like(p), s=torch.zeros_like(p))
                st["t"] += 1
                d = p.grad - st["m"]
                st["m"].add_(d, alpha=1 - b1)
                st["s"].mul_(b2).addcmul_(d, d, value=(1 - b2) * b1 * b1).add_(group["eps"])
                r = (1 - b2 ** st["t"]) ** 0.5
                step = st["m"] / (st["s"].sqrt() + group["eps"] * r)
                keep = 1 - group["lr"] * group["weight_decay"]
                p.mul_(keep).sub_(step, alpha=group["lr"] * r / (1 - b1 ** st["t"]))
        return loss
