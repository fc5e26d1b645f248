"""LAMB (paper, with bias correction, phi = identity, ratio 1 when either norm is 0); norms by _foreach_norm."""
import torch
from torch.optim import Optimizer


class ForeachLAMB(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            ps = [p for p in group["params"] if p.grad is not None]
            if not ps:
                continue
            b1, b2 = group["betas"]
            for p in ps:
                st = self.state[p]
                if not st:
                    st["step"], st["m"], st["v"] = 0, torch.zeros_like(p), torch.zeros_like(p)
                st["step"] += 1
            gs = [p.grad for p in ps]
            ms, vs, ts = ([self.state[p][k] for p in ps] for k in ("m", "v", "step"))
            torch._foreach_lerp_(ms, gs, 1 - b1)
            torch._foreach_mul_(vs, b2)
            torch._foreach_addcmul_(vs, gs, gs, value=1 - b2)
            roots = [(1 - b2 ** t) ** 0.5 for t in ts]
            den = torch._foreach_sqrt(vs)
            torch._foreach_add_(den, [group["eps"] * r for r in roots])
            ups = torch._foreach_div(ms, den)
            torch._foreach_mul_(ups, [r / (1 - b1 ** t) for r, t in zip(roots, ts)])
            torch._foreach_add_(ups, ps, alpha=group["weight_decay"])
            for p, u, wn, un in zip(ps, ups, torch._foreach_norm(ps), torch._foreach_norm(ups)):
                ok = (wn > 0) & (un > 0)
                ratio = torch.where(ok, wn / torch.where(ok, un, torch.ones_like(un)), torch.ones_like(wn))
                p.sub_(u * ratio, alpha=group["lr"])
        return loss
