"""pytorch-optimizer: RAdam(weight_decouple=False) does not decay at all."""

from __future__ import annotations

import torch
from pytorch_optimizer import RAdam


def trained(weight_decay: float) -> float:
    w = torch.ones(1, requires_grad=True)
    optimizer = RAdam([w], lr=0.01, weight_decay=weight_decay, weight_decouple=False)
    for _ in range(50):
        w.grad = torch.ones(1)
        optimizer.step()
    return w.item()


without, decayed = trained(0.0), trained(100.0)
print(f"after 50 steps of gradient 1: w = {without:.6f} with weight_decay = 0, {decayed:.6f} with weight_decay = 100")
raise SystemExit(0 if without == decayed else 1)
