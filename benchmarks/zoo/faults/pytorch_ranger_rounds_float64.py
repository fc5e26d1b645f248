"""pytorch-ranger: Ranger rounds float64 weights to float32, with or without a gradient."""

from __future__ import annotations

import torch
from pytorch_ranger import Ranger

w = torch.full((1,), 1 / 3, dtype=torch.float64, requires_grad=True)
w.grad = torch.zeros_like(w)
Ranger([w]).step()
print(f"float64, zero gradient, no decay: 1/3 becomes {w.item():.17g}")
raise SystemExit(0 if w.item() != 1 / 3 else 1)
