"""Adam on discounted *sums* of g and g^2; the factors (1-beta) come out in front at the very end.

With s = sum b^(t-i) g_i, Adam's average is (1-b) s.  When a scheduler moves a beta the stored sum is
re-expressed so that the average that it stands for is unchanged."""
import torch
from torch.optim.optimizer import Optimizer


class SumAdam(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        loss = closure if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            self._group(**group)
        return loss

    def _group(self, params, lr, betas, eps, weight_decay, **_):
        b1, b2 = betas
        for p in params:
            if p.grad is None:
                continue
            g = p.grad + weight_decay * p if weight_decay != 0 else p.grad
            st = self.state[p]
            if len(st) == 0:
                st["t"] = 0
                st["betas"] = (b1, b2)
                st["sum1"] = torch.zeros_like(p, memory_format=torch.preserve_format)
                st["sum2"] = torch.zeros_like(p, memory_format=torch.preserve_format)
            o1, o2 = st["betas"]
            if o1 != b1:
                st["sum1"].mul_((1 - o1) / (1 - b1))
            if o2 != b2:
                st["sum2"].mul_((1 - o2) / (1 - b2))
            st["betas"] = (b1, b2)
            st["t"] += 1
            st["sum1"].mul_(b1).add_(g)
            st["sum2"].mul_(b2).addcmul_(g, g)
            k1 = (1 - b1) / (1 - b1 ** st["t"])
            k2 = ((1 - b2) / (1 - b2 ** st["t"])) ** 0.5
            p.addcdiv_(st["sum1"], st["sum2"].sqrt().mul_(k2).add_(eps), value=-lr * k1)
