"""Adam in float16 divides by zero: its ε = 1e-8 is 0 there."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    weights = {}
    for g in (0.0, 1e-3):
        w = torch.ones(1, dtype=torch.float16, requires_grad=True)
        w.grad = torch.full_like(w, g)
        torch.optim.Adam([w]).step()
        weights[g] = w.item()
    print(f"float16 weight 1 after one step, by gradient: {weights}")
    return weights[0.0] != weights[0.0] and weights[1e-3] == -float("inf")


FACT = Fact(
    id="adam-float16-divides-by-zero",
    title="Adam in float16 divides by zero: its ε = 1e-8 is 0 there",
    kind="surprise",
    expected="`w ← w − η·m̂/(√v̂ + ε)`, which does not move `w` without a gradient",
    executed=(
        "`0/0` = NaN for a gradient of 0 and `m̂/0` = ∞ for one whose `(1 − β₂)g²` is below half the smallest"
        " float16; the fused kernel computes in float32 and is right for a gradient of 0"
    ),
    link="https://github.com/pytorch/pytorch/issues/26218",
    reproduce=reproduce,
)
