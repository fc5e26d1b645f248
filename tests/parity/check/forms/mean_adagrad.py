"""Adagrad from the running MEAN of g^2: sum = t*mean + initial value.  State exists from construction on."""
import torch
from torch.optim import Optimizer


class MeanAdagrad(Optimizer):
    def __init__(self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10,
                 *, maximize=False):
        super().__init__(
            params,
            dict(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
                 initial_accumulator_value=initial_accumulator_value, eps=eps, maximize=maximize),
        )

    def add_param_group(self, param_group):
        super().add_param_group(param_group)
        # as in torch, the starting value is the constructor's, whatever a group says
        for p in self.param_groups[-1]["params"]:
            self.state[p] = {
                "step": torch.zeros(()),
                "mean_sq": torch.zeros_like(p),
                "start": float(self.defaults["initial_accumulator_value"]),
            }

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
                st["step"] += 1
                t = int(st["step"])
                g = (-1 if group["maximize"] else 1) * p.grad + group["weight_decay"] * p
                st["mean_sq"].lerp_(g * g, 1 / t)
                total = st["mean_sq"].mul(t).add_(st["start"])
                clr = group["lr"] / (1 + (t - 1) * group["lr_decay"])
                p.sub_(clr * g / (total.sqrt() + group["eps"]))
        return loss
