"""Foreach RAdam in float16 does not move in its first rectified steps."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    moved = {}
    for foreach in (False, True):
        w = torch.zeros(1, dtype=torch.float16, requires_grad=True)
        optimizer = torch.optim.RAdam([w], lr=1e-3, eps=1e-3, foreach=foreach)
        for _ in range(6):
            with torch.no_grad():
                w.zero_()
            w.grad = torch.full_like(w, 30.0)
            optimizer.step()
        moved["foreach" if foreach else "for-loop"] = w.item()
    print(f"the sixth step alone moves the weight by {moved}")
    return moved["foreach"] == 0 and moved["for-loop"] < 0


FACT = Fact(
    id="foreach-radam-stands-still",
    title="Foreach RAdam in float16 does not move in its first rectified steps",
    kind="deviation",
    expected="`w ← w − (η/c₁)·m·r·√c₂/(√v + ε)`, as the for-loop computes it",
    executed="`(√v + ε)/(−ηr√c₂/c₁)` first, which overflows where the divisor is about 4e-6, and then divides by ∞",
    reproduce=reproduce,
)
