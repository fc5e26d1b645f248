"""torch-optimizer: RAdam gives every parameter group the step size of the first one."""

from __future__ import annotations

import torch
from torch_optimizer import RAdam

one, two = (torch.zeros(1, requires_grad=True) for _ in range(2))
optimizer = RAdam([{"params": [one], "lr": 0.01}, {"params": [two], "lr": 0.0001}])
for _ in range(10):
    one.grad, two.grad = torch.ones(1), torch.ones(1)
    optimizer.step()
ratio = one.item() / two.item()
print(f"the same gradients, lr = 0.01 and 0.0001: moved by {one.item():.6f} and {two.item():.6f}, ratio {ratio:.4g}")
raise SystemExit(0 if ratio < 2 else 1)
