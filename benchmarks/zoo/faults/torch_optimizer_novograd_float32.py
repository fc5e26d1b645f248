"""torch-optimizer: NovoGrad keeps the norm of the gradient in float32, and float64 steps are right to 7 digits."""

from __future__ import annotations

import torch
from torch_optimizer import NovoGrad

w = torch.zeros(2, dtype=torch.float64, requires_grad=True)
optimizer = NovoGrad([w], lr=0.01, betas=(0.9, 0.98), eps=0.0)
w.grad = torch.tensor([1.0, 2.0], dtype=torch.float64)
optimizer.step()
right = -0.01 / 5**0.5
print(f"float64, gradient (1, 2), first step: {w[0].item():.17g}; −η·1/√5 is {right:.17g}")
raise SystemExit(0 if 1e-14 < abs(w[0].item() - right) < 1e-8 else 1)
