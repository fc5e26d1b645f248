"""Adam over one flat vector per group (and device); every element carries the step count of its parameter.

The flat buffers live inside the param group, so they are saved and loaded with it."""
import torch
from torch.optim import Optimizer


class FlatAdam(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @staticmethod
    def _buckets(group):
        out = {}
        for p in group["params"]:
            out.setdefault(str(p.device), []).append(p)
        return out

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            flats = group.setdefault("flat", {})
            for key, params in self._buckets(group).items():
                if all(p.grad is None for p in params):
                    continue
                if key not in flats:
                    n = sum(p.numel() for p in params)
                    flats[key] = {
                        "exp_avg": params[0].new_zeros(n),
                        "exp_avg_sq": params[0].new_zeros(n),
                        "steps": torch.zeros(n, dtype=torch.int64, device=params[0].device),
                    }
                self._step_bucket(group, params, flats[key])
        return loss

    def _step_bucket(self, group, params, flat):
        b1, b2 = group["betas"]
        live = torch.cat(
            [torch.full((p.numel(),), p.grad is not None, device=p.device) for p in params]
        )
        w = torch.cat([p.reshape(-1) for p in params])
        g = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in params])
        g = g + group["weight_decay"] * w
        flat.update({key: flat[key].to(w.dtype) for key in ("exp_avg", "exp_avg_sq")})  # loaded from another dtype
        m = torch.where(live, b1 * flat["exp_avg"] + (1 - b1) * g, flat["exp_avg"])
        v = torch.where(live, b2 * flat["exp_avg_sq"] + (1 - b2) * g * g, flat["exp_avg_sq"])
        n = flat["steps"] + live
        flat.update(exp_avg=m, exp_avg_sq=v, steps=n)
        t = n.clamp(min=1).double()
        c1 = (1 - torch.pow(b1, t)).to(w.dtype)
        c2 = (1 - torch.pow(b2, t)).to(w.dtype)
        new = torch.where(live, w - group["lr"] * (m / c1) / ((v / c2).sqrt() + group["eps"]), w)
        for p, piece in zip(params, new.split([p.numel() for p in params])):
            if p.grad is not None:
                p.copy_(piece.view(p.shape))
