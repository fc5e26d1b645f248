"""Adam whose memory is one dictionary on the optimizer, keyed by id(parameter)."""
import torch
from torch.optim import Optimizer


class IdDictAdam(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, *, maximize=False):
        self._memory = {}
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize))

    # ---- persistence -------------------------------------------------------------------------------
    def _all(self):
        return [p for group in self.param_groups for p in group["params"]]

    def state_dict(self):
        out = super().state_dict()
        out["state"] = {i: self._memory[id(p)] for i, p in enumerate(self._all()) if id(p) in self._memory}
        return out

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        self._memory = {id(p): dict(entry) for p, entry in self.state.items()}
        self.state.clear()

    def __getstate__(self):
        packed = super().__getstate__()
        packed["memory"] = [self._memory.get(id(p)) for p in self._all()]
        return packed

    def __setstate__(self, state):
        state = dict(state)
        memory = state.pop("memory", None)
        super().__setstate__(state)
        if memory is not None:
            self._memory = {id(p): entry for p, entry in zip(self._all(), memory) if entry is not None}

    # ---- training ----------------------------------------------------------------------------------
    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = -p.grad if group["maximize"] else p.grad
                g = g + group["weight_decay"] * p
                if id(p) not in self._memory:
                    self._memory[id(p)] = {"count": 0, "first": torch.zeros_like(p), "second": torch.zeros_like(p)}
                mem = self._memory[id(p)]
                mem["count"] += 1
                mem["first"] = b1 * mem["first"] + (1 - b1) * g
                mem["second"] = b2 * mem["second"] + (1 - b2) * g ** 2
                mhat = mem["first"] / (1 - b1 ** mem["count"])
                vhat = mem["second"] / (1 - b2 ** mem["count"])
                p -= group["lr"] * mhat / (vhat ** 0.5 + group["eps"])
        return loss
