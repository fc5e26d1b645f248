"""RMSprop; centered by Welford's recurrence var <- a*var + a*(1-a)*(g-mean)^2, so that nothing cancels."""
import torch
from torch.optim import Optimizer


class WelfordRMSprop(Optimizer):
    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False):
        super().__init__(
            params,
            dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, centered=centered),
        )

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            a = group["alpha"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad.add(p, alpha=group["weight_decay"])
                st = self.state[p]
                if not st:
                    st["spread"] = torch.zeros_like(p)
                    if group["centered"]:
                        st["mean"] = torch.zeros_like(p)
                if group["centered"]:
                    dev = g - st["mean"]
                    st["spread"].mul_(a).addcmul_(dev, dev, value=a * (1 - a))
                    st["mean"].add_(dev, alpha=1 - a)
                else:
                    st["spread"].mul_(a).addcmul_(g, g, value=1 - a)
                move = g / (st["spread"].sqrt() + group["eps"])
                if group["momentum"] > 0:
                    move = move.add_(st.get("buf", torch.zeros_like(p)), alpha=group["momentum"])
                    st["buf"] = move
                p.add_(move, alpha=-group["lr"])
        return loss
