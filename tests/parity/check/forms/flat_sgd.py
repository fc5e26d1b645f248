"""SGD where all parameters of a group are updated as one concatenated vector."""
import torch
from torch.optim import Optimizer


class FlatSGD(Optimizer):
    def __init__(self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False):
        super().__init__(
            params,
            dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov),
        )

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            by_kind = {}
            for p in group["params"]:
                if p.grad is not None:
                    by_kind.setdefault((p.device, p.dtype), []).append(p)
            for params in by_kind.values():
                self._flat_step(group, params)
        return loss

    def _flat_step(self, group, params):
        sizes = [p.numel() for p in params]
        flat = lambda tensors: torch.cat([x.reshape(-1) for x in tensors])  # noqa: E731
        w = flat(params)
        g = flat([p.grad for p in params]) + group["weight_decay"] * w
        mu = group["momentum"]
        if mu == 0:
            move = g
        else:
            known = [self.state[p].get("buf") for p in params]
            weight = torch.tensor(
                [1.0 if b is None else 1.0 - group["dampening"] for b in known], dtype=w.dtype, device=w.device
            ).repeat_interleave(torch.tensor(sizes, device=w.device))
            old = flat([torch.zeros_like(p) if b is None else b for p, b in zip(params, known)])
            buf = torch.addcmul(mu * old, weight, g)
            for p, piece in zip(params, buf.split(sizes)):
                self.state[p]["buf"] = piece.clone().view(p.shape)
            move = g + mu * buf if group["nesterov"] else buf
        for p, piece in zip(params, (w - group["lr"] * move).split(sizes)):
            p.copy_(piece.view(p.shape))
