"""Adafactor's `lr` is relative to the size of the weights, and capped by 1/√k."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    moved = {}
    for size in (1, 100):
        w = torch.full((1,), size, dtype=torch.float64, requires_grad=True)
        w.grad = torch.ones_like(w)
        torch.optim.Adafactor([w], lr=0.01).step()
        moved[size] = round(size - w.item(), 9)
    print(f"length of the first step with lr = 0.01 and gradient 1, by weight: {moved}")
    return moved == {1: 0.01, 100: 1.0}


FACT = Fact(
    id="adafactor-step-is-relative",
    title="Adafactor's `lr` is relative to the size of the weights, and capped by 1/√k",
    kind="surprise",
    expected="`w ← w − η·(update of size 1)`",
    executed=("`w ← w − min(η, 1/√k)·max(ε₂, RMS(w))·(update clipped to RMS d)`: weights of 100 move 100 times as far"),
    reproduce=reproduce,
)
