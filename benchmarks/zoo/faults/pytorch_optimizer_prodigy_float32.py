"""pytorch-optimizer: Prodigy keeps its sums in float32, so that a float64 distance is right to 7 digits only."""

from __future__ import annotations

import torch
from pytorch_optimizer import Prodigy

w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
optimizer = Prodigy([w], d0=0.001)
places = []
for _ in range(2):
    w.grad = torch.full((1,), 0.3, dtype=torch.float64)
    optimizer.step()
    places.append(w.item())
found, right = optimizer.param_groups[0]["d"], -places[0] / (1 + 0.999**0.5)  # ⟨g, w₀ − w₁⟩ ÷ (β₃|g| + |g|)
print(f"float64, gradient 0.3 twice: d = {found:.17g}; −w₁/(1 + √β₂) is {right:.17g}")
raise SystemExit(0 if 1e-14 < abs(found / right - 1) < 1e-6 else 1)
