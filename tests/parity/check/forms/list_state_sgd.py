"""SGD built from mixins; the state of a parameter is a one-element list, absent until it is needed."""
import torch
from torch.optim import Optimizer


class _ClosureMixin:
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.no_grad():
            for group, p in self.live_parameters():
                self.update(group, p)
        return loss


class _GradMixin:
    def live_parameters(self):
        return ((g, p) for g in self.param_groups for p in g["params"] if p.grad is not None)

    @staticmethod
    def dense_grad(group, p):
        g = p.grad
        if g.is_sparse:
            g = g.coalesce().to_dense()
        sign = -1 if group["maximize"] else 1
        return sign * g + group["weight_decay"] * p


class ListStateSGD(_ClosureMixin, _GradMixin, Optimizer):
    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False):
        Optimizer.__init__(
            self, params,
            dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
                 nesterov=nesterov, maximize=maximize),
        )

    def update(self, group, p):
        d = self.dense_grad(group, p)
        if group["momentum"]:
            bufs = self.state[p].setdefault("bufs", [])
            if bufs:
                bufs[0] = torch.add(group["momentum"] * bufs[0], d, alpha=1 - group["dampening"])
            else:
                bufs.append(d.clone())
            d = d + group["momentum"] * bufs[0] if group["nesterov"] else bufs[0]
        p.sub_(group["lr"] * d)
