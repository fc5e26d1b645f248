"""adamp: SGDP's projection works in place on the momentum, so that later steps go on from what was projected."""

from __future__ import annotations

import torch
from adamp import SGDP

w = torch.tensor([[3.0, 4.0]], dtype=torch.float64, requires_grad=True)
optimizer = SGDP([w], lr=0.1, momentum=0.9)
w.grad = torch.tensor([[-0.4, 0.31]], dtype=torch.float64)  # almost at a right angle to w: it is projected
optimizer.step()
kept = optimizer.state[w]["momentum"]
print(f"gradient {w.grad.tolist()}: its first momentum is {kept.tolist()}; of the paper it is the gradient")
raise SystemExit(0 if not torch.equal(kept, w.grad) else 1)
