"""adan-pytorch: the first step moves nothing and its gradient is lost; bias correction counts it all the same."""

from __future__ import annotations

import torch
from adan_pytorch import Adan

w = torch.zeros(1, requires_grad=True)
optimizer = Adan([w], lr=0.01)
moves = []
for _ in range(5):
    before = w.item()
    w.grad = torch.ones(1)
    optimizer.step()
    moves.append(round((before - w.item()) / 0.01, 4))
print(f"gradient 1 in every step: moves ÷ lr are {moves}; of averages that are corrected they are all 1")
raise SystemExit(0 if moves[0] == 0 else 1)
