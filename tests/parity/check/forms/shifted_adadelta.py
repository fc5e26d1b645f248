"""Adadelta; both accumulators are stored with eps already inside (A = acc + eps is again an average)."""
import torch
from torch.optim import Optimizer


class ShiftedAdadelta(Optimizer):
    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0):
        super().__init__(params, dict(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rho, eps, wd = group["rho"], group["eps"], group["weight_decay"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = torch.add(p.grad, p, alpha=wd) if wd != 0 else p.grad
                st = self.state[p]
                if not st:
                    st.update(eps=eps, sq=torch.full_like(p, eps), dx=torch.full_like(p, eps))
                if st["eps"] != eps:
                    st["sq"] += eps - st["eps"]
                    st["dx"] += eps - st["eps"]
                    st["eps"] = eps
                st["sq"].mul_(rho).add_((g * g + eps), alpha=1 - rho)
                delta = (st["dx"] / st["sq"]).sqrt_().mul_(g)
                st["dx"].mul_(rho).add_((delta * delta + eps), alpha=1 - rho)
                p.add_(delta, alpha=-group["lr"])
        return loss
