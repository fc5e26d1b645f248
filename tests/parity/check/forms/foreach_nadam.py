"""NAdam; one numerator from the OLD first moment and g (m = b1*m_old+(1-b1)*g put in), foreach throughout."""
import torch
from torch.optim import Optimizer


class ForeachNAdam(Optimizer):
    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3):
        super().__init__(
            params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        )

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            live = [p for p in group["params"] if p.grad is not None]
            if live:
                self._step_group(group, live)
        return loss

    def _step_group(self, group, ps):
        b1, b2 = group["betas"]
        psi, lr = group["momentum_decay"], group["lr"]
        gs = torch._foreach_add([p.grad for p in ps], ps, alpha=group["weight_decay"])
        from_g, from_m, scale, floor = [], [], [], []
        for p in ps:
            st = self.state[p]
            if not st:
                st["k"], st["product"] = 0, 1.0
                st["m"], st["v"] = torch.zeros_like(p), torch.zeros_like(p)
            st["k"] += 1
            mu = b1 - 0.5 * b1 * 0.96 ** (psi * st["k"])
            nxt = b1 - 0.5 * b1 * 0.96 ** (psi * (st["k"] + 1))
            st["product"] *= mu
            ahead = nxt / (1 - st["product"] * nxt)
            from_g.append((1 - mu) / (1 - st["product"]) + ahead * (1 - b1))
            from_m.append(ahead * b1)
            root = (1 - b2 ** st["k"]) ** 0.5
            scale.append(-lr * root)
            floor.append(group["eps"] * root)
        ms, vs = [self.state[p]["m"] for p in ps], [self.state[p]["v"] for p in ps]
        num = torch._foreach_mul(gs, from_g)
        torch._foreach_add_(num, torch._foreach_mul(ms, from_m))
        torch._foreach_mul_(vs, b2)
        torch._foreach_addcmul_(vs, gs, gs, value=1 - b2)
        den = torch._foreach_sqrt(vs)
        torch._foreach_add_(den, floor)
        torch._foreach_addcdiv_(ps, num, den, scale)
        torch._foreach_lerp_(ms, gs, 1 - b1)
