"""Adagrad; the root of the accumulated squares is stored and grown by hypot(root, g).  State is made in the constructor."""
import torch
from torch.optim import Optimizer


class HypotAdagrad(Optimizer):
    def __init__(self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10):
        super().__init__(
            params,
            dict(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
                 initial_accumulator_value=initial_accumulator_value, eps=eps),
        )
        for group in self.param_groups:
            for p in group["params"]:
                self._create(p)

    def _create(self, p):
        # as in torch, the starting value is the constructor's, whatever a group says
        start = self.defaults["initial_accumulator_value"] ** 0.5
        self.state[p].update(seen=0, root=torch.full_like(p, start))

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
                g = p.grad.to_dense() if p.grad.is_sparse else p.grad
                g = g.add(p, alpha=group["weight_decay"])
                st = self.state[p]
                if not st:
                    self._create(p)
                st["root"] = torch.hypot(st["root"], g)
                p.addcdiv_(g, st["root"] + group["eps"], value=-group["lr"] / (1 + st["seen"] * group["lr_decay"]))
                st["seen"] += 1
        return loss
