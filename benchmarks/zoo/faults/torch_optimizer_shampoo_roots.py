"""torch-optimizer: Shampoo takes the square of each root, and statistics of a gradient already multiplied."""

from __future__ import annotations

import torch
from torch_optimizer import Shampoo

w, W = torch.zeros(1, requires_grad=True), torch.zeros(2, 2, requires_grad=True)
w.grad = torch.full((1,), 4.0)
W.grad = torch.tensor([[4.0, 0.0], [0.0, 9.0]])
right = W.grad.T @ W.grad
optimizer = Shampoo([w, W], lr=1.0, epsilon=1e-8)
optimizer.step()
moved, kept = -w.item(), optimizer.state[W]["precond_1"]
print(f"a vector, gradient 4: it moves by {moved:.4g}; with H^(-1/2) of the paper it is 4/√16 = 1")
print(f"R is {kept.tolist()}, not GᵀG = {right.tolist()}")
raise SystemExit(0 if abs(moved - 0.25) < 1e-6 and not torch.allclose(kept, right) else 1)
