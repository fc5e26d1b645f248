"""SGDW: SGD with momentum and DECOUPLED decay w <- (1 - lr*wd) w - lr*d  (as timm's SGDW; lr outside the buffer)."""
import torch
from torch.optim import Optimizer


class AddcmulSGDW(Optimizer):
    def __init__(self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
        super().__init__(
            params,
            dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov),
        )

    @torch.no_grad()
    def _direction(self, group, p):
        mu, g = group["momentum"], p.grad
        if mu == 0:
            return g
        st = self.state[p]
        if st.get("momentum_buffer") is None:
            st["momentum_buffer"] = g.detach().clone()
        else:
            gain = g.new_full((), 1 - group["dampening"])
            st["momentum_buffer"] = torch.addcmul(st["momentum_buffer"] * mu, g, gain)
        buf = st["momentum_buffer"]
        return torch.addcmul(g, buf, buf.new_full((), mu)) if group["nesterov"] else buf

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    both = self._direction(group, p) + group["weight_decay"] * p
                    p.addcmul_(both, both.new_full((), group["lr"]), value=-1)
        return loss
