"""Differentiable, capturable and compiled Adam compute 1 − βᵏ in float32."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    steps = {}
    for differentiable in (False, True):
        w = torch.zeros(1, dtype=torch.float64).requires_grad_(not differentiable)
        w.grad = torch.ones_like(w)
        torch.optim.Adam([w], lr=1, eps=0, differentiable=differentiable).step()
        steps[differentiable] = -w.item()
    print(f"first step with lr = 1: plain {steps[False]:.12f}, differentiable {steps[True]:.12f}")
    return abs(steps[True] - 1) > 1e-7 > abs(steps[False] - 1)


FACT = Fact(
    id="capturable-scalars-are-float32",
    title="Differentiable, capturable and compiled Adam compute 1 − βᵏ in float32",
    kind="surprise",
    expected="`1 − β₂ᵏ` in float64, as the for-loop does",
    executed=(
        "`1 − β₂**step` with the float32 tensor `step`: in the first step wrong by 1e-5 of itself, in float64"
        " training too. Compiled NAdam, RAdam and Adamax do the same"
    ),
    link="https://github.com/pytorch/pytorch/pull/173901",
    reproduce=reproduce,
)
