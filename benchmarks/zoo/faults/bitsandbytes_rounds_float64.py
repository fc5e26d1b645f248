"""bitsandbytes on the CPU: float64 weights are rounded to float32, with or without a gradient."""

from __future__ import annotations

import bitsandbytes as bnb
import torch

for name in ("Adam32bit", "AdamW32bit", "SGD32bit", "Lion32bit", "RMSprop32bit", "Adagrad32bit", "LAMB32bit"):
    w = torch.full((1,), 1 / 3, dtype=torch.float64, requires_grad=True)
    w.grad = torch.zeros_like(w)
    hyper = {"momentum": 0.9} if name == "SGD32bit" else {}
    getattr(bnb.optim, name)([w], lr=0.01, weight_decay=0.0, **hyper).step()
    print(f"{name:12} float64, zero gradient, no decay: 1/3 becomes {w.item():.17g}")
raise SystemExit(0 if w.item() != 1 / 3 else 1)
