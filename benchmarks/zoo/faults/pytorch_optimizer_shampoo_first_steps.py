"""pytorch_optimizer: Shampoo does not move before its first roots, where these are not taken in every step."""

from __future__ import annotations

import torch
from pytorch_optimizer import Shampoo

w = torch.ones(2, 2, requires_grad=True)
optimizer = Shampoo([w], lr=0.1, preconditioning_compute_steps=3)
moves = []
for _ in range(3):
    w.grad = torch.eye(2)
    before = w.detach().clone()
    optimizer.step()
    moves.append(float((w - before).abs().max()))
print("with preconditioning_compute_steps=3 the first steps move by", moves)
raise SystemExit(0 if moves[0] == moves[1] == 0 < moves[2] else 1)
