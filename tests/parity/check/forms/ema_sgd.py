"""SGD with momentum; the buffer is held as the average a = (1-mu)*buffer and lr/(1-mu) pays it back."""
import torch
from torch.optim.optimizer import Optimizer


class EMASGD(Optimizer):
    def __init__(self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0):
        if not 0 <= momentum < 1:
            raise ValueError("momentum must lie in [0, 1)")
        super().__init__(params, dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            mu = group["momentum"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad.add(p, alpha=group["weight_decay"])
                if mu == 0.0:
                    p.add_(g, alpha=-group["lr"])
                    continue
                st = self.state[p]
                if "avg" not in st:
                    st["avg"] = g.mul(1 - mu)
                else:
                    if st["mu"] != mu:
                        st["avg"].mul_((1 - mu) / (1 - st["mu"]))
                    # lerp toward the damped gradient: mu*a + (1-mu)*(1-damp)*g
                    st["avg"].lerp_(g.mul(1 - group["dampening"]), 1 - mu)
                st["mu"] = mu
                p.add_(st["avg"], alpha=-group["lr"] / (1 - mu))
        return loss
