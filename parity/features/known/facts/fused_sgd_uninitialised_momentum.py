"""Fused SGD takes uninitialised memory for momentum after a first step that the GradScaler skipped."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)  # torch.empty now holds NaN in place of what the memory held
    try:
        w = torch.ones(4, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9, fused=True)
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        for factor in (float("inf"), 1.0):
            optimizer.zero_grad()
            scaler.scale((factor * w).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
    finally:
        torch.use_deterministic_algorithms(before)
    print(f"weights after a skipped step and one with gradient 1: {w[0].item()}, should be 0.9")
    return bool(w.isnan().any())


FACT = Fact(
    id="fused-sgd-uninitialised-momentum",
    title="Fused SGD takes uninitialised memory for momentum after a first step that the GradScaler skipped",
    kind="deviation",
    expected="a skipped step leaves no state; the next one is the first: `b ← g`",
    executed=(
        "the skipped step keeps `torch.empty_like(g)` as the buffer; the next one computes `b ← μ·(whatever "
        "the memory held) + (1 − τ)g`"
    ),
    reproduce=reproduce,
)
