"""Lion over fixed-size chunks of each flattened parameter, the sign from two comparisons."""
import torch
from torch.optim import Optimizer


class ChunkedLion(Optimizer):
    chunk = 5

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, *, maximize=False):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay, maximize=maximize))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._step_one(group, p)
        return loss

    def _step_one(self, group, p):
        (b1, b2), lr = group["betas"], group["lr"]
        st = self.state[p]
        if "flat" not in st:
            st["flat"] = p.new_zeros(p.numel())
        w = p.reshape(-1).clone()
        g = p.grad.reshape(-1)
        if group["maximize"]:
            g = -g
        for lo in range(0, p.numel(), self.chunk):
            cut = slice(lo, lo + self.chunk)
            mixed = torch.lerp(g[cut], st["flat"][cut], b1)
            up = (mixed > 0).to(w.dtype) - (mixed < 0).to(w.dtype)
            w[cut] = (1 - lr * group["weight_decay"]) * w[cut] - lr * up
            st["flat"][cut] = torch.lerp(g[cut], st["flat"][cut], b2)
        p.copy_(w.view(p.shape))
