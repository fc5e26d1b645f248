"""SGD with momentum; the stored velocity is -lr*buffer, re-expressed whenever the learning rate moves."""
import torch
from torch.optim import Optimizer


class ScaledVelocitySGD(Optimizer):
    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False):
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(
            params,
            dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
                 nesterov=nesterov, maximize=maximize),
        )

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            lr, mu = group["lr"], group["momentum"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad.neg() if group["maximize"] else p.grad
                if group["weight_decay"] != 0:
                    g = g.add(p, alpha=group["weight_decay"])
                if mu == 0:
                    p.sub_(g, alpha=lr)
                    continue
                st = self.state[p]
                first = "velocity" not in st
                if first:
                    st["scale"] = lr if lr != 0 else 1.0
                    st["velocity"] = torch.zeros_like(p)
                vel = st["velocity"]
                if lr != 0 and lr != st["scale"]:
                    vel.mul_(lr / st["scale"])
                    st["scale"] = lr
                # at lr == 0 the velocity stays in its last scale; nothing moves, nothing is lost
                vel.mul_(mu).sub_(g, alpha=st["scale"] * (1.0 if first else 1 - group["dampening"]))
                if lr == 0:
                    continue
                if group["nesterov"]:
                    p.add_(vel, alpha=mu).sub_(g, alpha=lr)
                else:
                    p.add_(vel)
        return loss
