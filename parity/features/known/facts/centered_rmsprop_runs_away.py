"""Centered RMSprop runs away where the gradient is constant."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.RMSprop([w], lr=0.01, alpha=0.5, centered=True)
    before = 0.0
    for _ in range(40):
        before = w.item()
        w.grad = torch.ones(1)
        optimizer.step()
    print(f"length of the 40th step with gradient 1 and lr = 0.01: {before - w.item():.3g}")
    return before - w.item() > 1e5


FACT = Fact(
    id="centered-rmsprop-runs-away",
    title="Centered RMSprop runs away where the gradient is constant",
    kind="surprise",
    expected="steps of about η",
    executed=("`ηg/(√(v − m²) + ε)` with a variance `v − m²` that goes to 0: steps grow to `ηg/ε`, 10⁸·ηg by default"),
    reproduce=reproduce,
)
