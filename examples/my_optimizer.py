"""AdamW written from its paper.

::

    w ← w·(1 − ηλ)
    m ← β₁m + (1 − β₁)g        v ← β₂v + (1 − β₂)g²
    w ← w − η·(m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)

Loshchilov, Hutter: Decoupled Weight Decay Regularization, https://arxiv.org/abs/1711.05101, algorithm 2.
"""

import torch
from torch.optim import Optimizer


class MyAdamW(Optimizer):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2) = group["lr"], group["betas"]
            for w in group["params"]:
                if w.grad is None:
                    continue
                state = self.state[w]
                if not state:
                    state.update(t=0, m=torch.zeros_like(w), v=torch.zeros_like(w))
                state["t"] += 1
                w.mul_(1 - lr * group["weight_decay"])  # w ← w·(1 − ηλ)
                state["m"].mul_(beta1).add_(w.grad, alpha=1 - beta1)  # m ← β₁m + (1 − β₁)g
                state["v"].mul_(beta2).addcmul_(w.grad, w.grad, value=1 - beta2)  # v ← β₂v + (1 − β₂)g²
                m = state["m"] / (1 - beta1 ** state["t"])
                v = state["v"] / (1 - beta2 ** state["t"])
                w.sub_(lr * m / (v.sqrt() + group["eps"]))
