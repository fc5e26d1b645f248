"""SGD as a linear system: (buffer', move) = A (buffer, gradient), with the 2x2 matrix A applied by einsum."""
import torch
from torch.optim import Optimizer


class StateSpaceSGD(Optimizer):
    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False):
        super().__init__(
            params,
            dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov),
        )

    @staticmethod
    def _matrix(group, first):
        mu = group["momentum"]
        inflow = 1.0 if first else 1.0 - group["dampening"]
        if mu == 0:
            return [[1.0, 0.0], [0.0, 1.0]]
        if group["nesterov"]:
            return [[mu, inflow], [mu * mu, 1.0 + mu * inflow]]
        return [[mu, inflow], [mu, inflow]]

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                st = self.state[p]
                g = p.grad + group["weight_decay"] * p
                first = "buf" not in st
                x = torch.stack([torch.zeros_like(p) if first else st["buf"], g])
                a = torch.tensor(self._matrix(group, first), dtype=p.dtype, device=p.device)
                buf, move = torch.einsum("ij,j...->i...", a, x)
                if group["momentum"] != 0:
                    st["buf"] = buf.clone()
                p.sub_(move, alpha=group["lr"])
        return loss
