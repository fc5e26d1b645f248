"""pytorch_optimizer: SOAP counts the first gradient of a late parameter twice, and makes a step with it."""

from __future__ import annotations

import torch
from pytorch_optimizer import SOAP


def moved(*, beside: bool) -> tuple[float, float]:
    """How far one gradient moves a parameter, and its matrix: by itself, or after five steps of another parameter."""
    late = torch.ones(1, 2, dtype=torch.float64, requires_grad=True)
    other = torch.ones(1, 2, dtype=torch.float64, requires_grad=True)
    optimizer = SOAP([other, late] if beside else [late], lr=0.01, weight_decay=0.0)
    for _ in range(5 if beside else 0):
        other.grad = torch.ones_like(other)
        optimizer.step()
    other.grad = late.grad = torch.ones_like(late)
    optimizer.step()
    return (late.detach() - 1).abs().max().item(), optimizer.state[late]["GG"][0].item()


(alone, once), (late, twice) = moved(beside=False), moved(beside=True)
print(f"one gradient of (1, 1): alone it moves by {alone:.4g} and L = {once:.4g} = (1 − β)·2")
print(f"after five steps of another parameter it moves by {late:.4g} and L = {twice:.4g} = (1 − β²)·2")
raise SystemExit(0 if alone == 0 < late and abs(twice / once - 1.95) < 1e-9 else 1)
