"""AdamW read as interpolation: w <- lerp(w, a, lr*wd) with the moving attractor a = -(mhat/denom)/wd."""
import torch
from torch import Tensor
from torch.optim import Optimizer


class AttractorAdamW(Optimizer):
    def __init__(self, params, lr: float = 1e-3, betas=(0.9, 0.999), eps: float = 1e-8, weight_decay: float = 1e-2):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @staticmethod
    @torch.no_grad()
    def _direction(st: dict, g: Tensor, b1: float, b2: float, eps: float) -> Tensor:
        st["n"] += 1
        st["m"].lerp_(g, 1.0 - b1)
        st["v"].mul_(b2).addcmul_(g, g, value=1.0 - b2)
        denom = st["v"].div(1.0 - pow(b2, st["n"])).sqrt_().add_(eps)
        return st["m"].div(1.0 - pow(b1, st["n"])).div_(denom)

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for grp in self.param_groups:
            for w in grp["params"]:
                if w.grad is None:
                    continue
                st = self.state[w]
                if not st:
                    st.update(n=0, m=torch.zeros_like(w), v=torch.zeros_like(w))
                d = self._direction(st, w.grad, *grp["betas"], grp["eps"])
                pull = grp["lr"] * grp["weight_decay"]
                if pull == 0:
                    w.sub_(d, alpha=grp["lr"])
                else:
                    w.lerp_(d.div_(-grp["weight_decay"]), pull)
        return loss
