"""Differentiable and capturable Adam with a learning rate of 0 turns weights without gradient to NaN."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    weights = {}
    for differentiable in (False, True):
        w = torch.ones(1).requires_grad_(not differentiable)
        w.grad = torch.zeros(1)
        torch.optim.Adam([w], lr=0, differentiable=differentiable).step()
        weights["differentiable" if differentiable else "plain"] = w.item()
    print(f"weight 1 with gradient 0 after one step with lr = 0: {weights}")
    return weights["plain"] == 1 and weights["differentiable"] != weights["differentiable"]


FACT = Fact(
    id="adam-zero-lr-nan",
    title="Differentiable and capturable Adam with a learning rate of 0 turns weights without gradient to NaN",
    kind="deviation",
    expected="`w ← w − 0·m̂/(√v̂ + ε) = w`, as in the first step of a warm-up",
    executed=(
        "`w ← w + m/(√v/(−√c₂·η/c₁) + ε/(−η/c₁))` with η = 0: `0/0` where v is 0. In the for-loop only; "
        "foreach is right"
    ),
    link="https://github.com/pytorch/pytorch/pull/186444",
    reproduce=reproduce,
)
