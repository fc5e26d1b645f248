"""pytorch-optimizer: Prodigy moves every parameter group by the lr of the first one."""

from __future__ import annotations

import torch
from pytorch_optimizer import Prodigy

one, two = (torch.zeros(1, requires_grad=True) for _ in range(2))
optimizer = Prodigy([{"params": [one], "lr": 1.0}, {"params": [two], "lr": 0.01}])
for _ in range(10):
    one.grad, two.grad = torch.ones(1), torch.ones(1)
    optimizer.step()
ratio = one.item() / two.item()
print(
    f"the same gradients, lr = 1 and 0.01: moved by {one.item():.4g} and {two.item():.4g}, ratio {ratio:.4g}, not 100"
)
raise SystemExit(0 if ratio < 2 else 1)
