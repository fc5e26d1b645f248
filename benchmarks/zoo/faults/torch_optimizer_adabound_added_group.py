"""torch-optimizer: AdaBound never moves a group that was added after the constructor."""

from __future__ import annotations

import torch
from torch_optimizer import AdaBound

w, late = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
optimizer = AdaBound([w], lr=0.01)
optimizer.add_param_group({"params": [late]})
for _ in range(3):
    w.grad = late.grad = torch.ones(1)
    optimizer.step()
print(f"after three gradients of 1: {w.item():.6f}, and {late.item():.6f} in the group that was added")
raise SystemExit(0 if late.item() == 0 != w.item() else 1)
