"""pytorch-ranger: step() of RangerQH adds the weight decay to `.grad` itself."""

from __future__ import annotations

import torch
from pytorch_ranger import RangerQH

w = torch.ones(1, requires_grad=True)
w.grad = torch.ones(1)
RangerQH([w], lr=0.1, weight_decay=0.5).step()
print(f"gradient 1 before step(), {w.grad.item():g} after it")
raise SystemExit(0 if w.grad.item() != 1 else 1)
