"""dadaptation: step() adds a coupled weight decay to `.grad` itself."""

from __future__ import annotations

import dadaptation
import torch

changed = []
for name in ("DAdaptSGD", "DAdaptAdam", "DAdaptAdaGrad"):
    w = torch.ones(1, requires_grad=True)
    w.grad = torch.ones(1)
    getattr(dadaptation, name)([w], weight_decay=0.5).step()
    print(f"{name:13} gradient 1 before step(), {w.grad.item():g} after it")
    if w.grad.item() != 1:
        changed.append(name)
raise SystemExit(0 if changed else 1)
