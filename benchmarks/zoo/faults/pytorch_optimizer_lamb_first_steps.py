"""pytorch-optimizer: Lamb, which says that it has no bias correction, makes its first step 10 times too long."""

from __future__ import annotations

import torch
from pytorch_optimizer import Lamb

w = torch.ones(4, requires_grad=True)
optimizer = Lamb([w], lr=0.01)
ratios = []
for _ in range(5):
    before = w.detach().clone()
    w.grad = torch.ones(4)
    optimizer.step()
    ratios.append(round(((w.detach() - before).norm() / before.norm()).item() / 0.01, 3))
expected = [round(1 / (1 - 0.9**t), 3) for t in range(1, 6)]
print(f"‖Δw‖ ÷ (lr·‖w‖) is {ratios}; of LAMB it is 1; 1 ÷ (1 − β₁ᵗ) is {expected}")
raise SystemExit(0 if ratios[0] > 5 else 1)
