"""AMSGrad (torch's Adam(amsgrad=True)): the maximum of v is kept as the minimum of rsqrt(v)."""
import torch
from torch.optim import Optimizer


class MinInverseRootAMSGrad(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=True):
        if not amsgrad:
            raise ValueError("this class is AMSGrad only")
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=True))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if group["weight_decay"] != 0:
                    g = g.add(p, alpha=group["weight_decay"])
                st = self.state[p]
                if not st:
                    st["step"] = 0
                    st["m"] = torch.zeros_like(p)
                    st["v"] = torch.zeros_like(p)
                    st["inv"] = torch.full_like(p, float("inf"))
                st["step"] += 1
                st["m"].lerp_(g, 1 - b1)
                st["v"].mul_(b2).addcmul_(g, g, value=1 - b2)
                st["inv"] = torch.minimum(st["inv"], st["v"].rsqrt())
                root2 = (1 - b2 ** st["step"]) ** 0.5
                # reciprocal(inf) is 0, so never-touched elements divide by eps alone
                denom = st["inv"].mul(root2).reciprocal_().add_(group["eps"])
                p.addcdiv_(st["m"], denom, value=-group["lr"] / (1 - b1 ** st["step"]))
        return loss
