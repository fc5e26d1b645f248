"""madgrad: k is one number for all parameters, so that the first step of a late one is weighted as if it were later."""

from __future__ import annotations

from typing import Any

import madgrad
import torch

CLASSES = ("MADGRAD",)


def moved(name: str, *, beside: bool) -> float:
    """Three gradients of 1, by themselves or after five steps of another parameter."""
    late = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    other = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    parameters: list[Any] = [other, late] if beside else [late]
    optimizer = getattr(madgrad, name)(parameters, lr=0.01)
    for k in range(8):
        other.grad = torch.ones_like(other)
        late.grad = torch.ones_like(late) if k >= 5 else None
        if beside or k >= 5:
            optimizer.step()
    return late.item()


same = []
for name in CLASSES:
    alone, late = moved(name, beside=False), moved(name, beside=True)
    print(f"{name:14} after three gradients of 1: {alone:.6f} alone, {late:.6f} beside a parameter with five before")
    same.append(alone == late)
raise SystemExit(1 if any(same) else 0)
