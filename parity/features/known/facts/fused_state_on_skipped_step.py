"""Fused optimizers make their state in a step that a GradScaler skips."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.Adam([w], fused=True)
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(torch.ones(()))
    w.grad = torch.full_like(w, torch.inf)
    scaler.step(optimizer)
    state = {key: value.item() for key, value in optimizer.state[w].items()}
    print(f"state after a skipped first step: {state}")
    return bool(state) and w.item() == 1


FACT = Fact(
    id="fused-state-on-skipped-step",
    title="Fused optimizers make their state in a step that a GradScaler skips",
    kind="surprise",
    expected="a skipped step leaves no state, as with the for-loop",
    executed="zeros are kept and counted as step 0: harmless for Adam, not for what is made without being filled",
    reproduce=reproduce,
)
