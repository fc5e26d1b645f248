"""pytorch_optimizer: QHAdam keeps the weights of its averages as float32 tensors, whatever the parameters are."""

from __future__ import annotations

import torch
from pytorch_optimizer import QHAdam

w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
optimizer = QHAdam([w], lr=0.01, betas=(0.9, 0.999), nus=(1.0, 1.0), eps=0.0)
for g in (1.0, 3.0):
    w.grad = torch.full_like(w, g)
    optimizer.step()
m, v = (0.1 * 3 + 0.09 * 1) / 0.19, (0.001 * 9 + 0.000999 * 1) / 0.001999  # averages, corrected
right = -0.01 - 0.01 * m / v**0.5
kept = {key: value.dtype for key, value in optimizer.state[w].items() if torch.is_tensor(value)}
print(f"float64, gradients 1 and 3: w = {w.item():.15f}, Adam's is {right:.15f}; its state: {kept}")
raise SystemExit(0 if 1e-12 < abs(w.item() - right) < 1e-7 else 1)
