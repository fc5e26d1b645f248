"""AdamW in horizontally fused _foreach calls with a scalar list for what differs between parameters."""
import torch
from torch.optim import Optimizer


class ForeachAdamW(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False):
        super().__init__(
            params,
            dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize),
        )

    def _gather(self, group):
        ps = [p for p in group["params"] if p.grad is not None]
        for p in ps:
            if not self.state[p]:
                self.state[p] = {"step": 0, "m": torch.zeros_like(p), "v": torch.zeros_like(p)}
                if group["amsgrad"]:
                    self.state[p]["vmax"] = torch.zeros_like(p)
            self.state[p]["step"] += 1
        pick = lambda key: [self.state[p][key] for p in ps]  # noqa: E731
        return ps, [p.grad for p in ps], pick

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            ps, gs, pick = self._gather(group)
            if not ps:
                continue
            if group["maximize"]:
                gs = torch._foreach_neg(gs)
            (b1, b2), lr = group["betas"], group["lr"]
            ms, vs, ts = pick("m"), pick("v"), pick("step")
            torch._foreach_mul_(ps, 1 - lr * group["weight_decay"])
            torch._foreach_mul_(ms, b1)
            torch._foreach_add_(ms, gs, alpha=1 - b1)
            torch._foreach_mul_(vs, b2)
            torch._foreach_addcmul_(vs, gs, gs, value=1 - b2)
            if group["amsgrad"]:
                tops = pick("vmax")
                torch._foreach_maximum_(tops, vs)
                vs = tops
            den = torch._foreach_sqrt(vs)
            torch._foreach_div_(den, [(1 - b2 ** t) ** 0.5 for t in ts])
            torch._foreach_add_(den, group["eps"])
            torch._foreach_addcdiv_(ps, ms, den, [-lr / (1 - b1 ** t) for t in ts])
        return loss
