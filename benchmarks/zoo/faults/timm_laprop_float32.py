"""timm: LaProp keeps its correction in float32, so that steps of float64 weights are right to 7 digits only."""

from __future__ import annotations

import torch
from timm.optim import LaProp

w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
optimizer = LaProp([w], lr=0.01, betas=(0.9, 0.999), eps=0.0)
w.grad = torch.ones_like(w)
optimizer.step()
print(f"float64, gradient 1, first step: {w.item():.17g}; η times 1 is -0.01")
raise SystemExit(0 if 1e-12 < abs(w.item() + 0.01) < 1e-7 else 1)
