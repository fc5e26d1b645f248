"""torch-optimizer: SGDW subtracts the constant ηλ from every weight, where decay is ηλ·w."""

from __future__ import annotations

import torch
from torch_optimizer import SGDW

w = torch.tensor([2.0, 0.0, -2.0], requires_grad=True)
w.grad = torch.zeros(3)
SGDW([w], lr=0.1, weight_decay=0.5).step()
found = [round(x, 6) for x in w.tolist()]
print(f"w = [2, 0, -2], no gradient, lr = 0.1, weight_decay = 0.5: w becomes {found}, decayed it is [1.9, 0, -1.9]")
raise SystemExit(0 if found == [1.95, -0.05, -2.05] else 1)
