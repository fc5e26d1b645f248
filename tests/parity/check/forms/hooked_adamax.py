"""Adamax on a base class of template methods; the maximum is a torch.where and the step a running mean."""
import torch
from torch.optim import Optimizer


class TemplateOptimizer(Optimizer):
    """step() = for every live parameter: regularise, remember, direction, apply."""

    def _live(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    yield group, p, self.state[p]

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group, p, state in self._live():
            if not state:
                self._create(group, p, state)
            g = self._regularise(group, p, p.grad)
            self._remember(group, state, g)
            self._apply(group, p, state)
        return loss

    def _regularise(self, group, p, g):
        g = torch.where(torch.tensor(group["maximize"], device=g.device), -g, g)
        return g.add(p, alpha=group["weight_decay"])

    def _create(self, group, p, state):
        raise NotImplementedError

    def _remember(self, group, state, g):
        raise NotImplementedError

    def _apply(self, group, p, state):
        raise NotImplementedError


class HookedAdamax(TemplateOptimizer):
    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, *, maximize=False):
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize))

    def _create(self, group, p, state):
        state["counts"] = [0]
        state["mean"] = torch.zeros_like(p)
        state["norm"] = torch.zeros_like(p)

    def _remember(self, group, state, g):
        b1, b2 = group["betas"]
        state["counts"][0] += 1
        state["mean"] = torch.addcmul(g, state["mean"] - g, torch.full_like(g, b1))
        faded, fresh = b2 * state["norm"], g.abs() + group["eps"]
        state["norm"] = torch.where(faded > fresh, faded, fresh)

    def _apply(self, group, p, state):
        correction = 1 - group["betas"][0] ** state["counts"][0]
        p -= (group["lr"] * state["mean"]) / (correction * state["norm"])
