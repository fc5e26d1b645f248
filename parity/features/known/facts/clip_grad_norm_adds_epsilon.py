"""`clip_grad_norm_` divides by the norm plus 1e-6."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(4, dtype=torch.float64, requires_grad=True)
    g = torch.full_like(w, 5e-7)
    w.grad = g
    torch.nn.utils.clip_grad_norm_([w], 1e-6)
    print(f"a gradient of norm 1e-6, clipped to 1e-6, has norm {g.norm().item():.2e}")
    return abs(g.norm().item() - 5e-7) < 1e-12


FACT = Fact(
    id="clip-grad-norm-adds-epsilon",
    title="`clip_grad_norm_` divides by the norm plus 1e-6",
    kind="surprise",
    expected="`g ← g·min(1, c/‖g‖)`",
    executed="`g ← g·min(1, c/(‖g‖ + 1e-6))`: clipped norms lie a little below c, and far below where c is small",
    reproduce=reproduce,
)
