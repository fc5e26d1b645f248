"""Centered RMSprop takes the root of a negative number."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    g = torch.linspace(0.1, 9.7, 200)
    w = torch.zeros(200, requires_grad=True)
    optimizer = torch.optim.RMSprop([w], lr=1e-6, alpha=0.5, centered=True)
    for _ in range(60):
        w.grad = g.clone()
        optimizer.step()
    print(f"weights that are NaN after 60 steps with constant gradients: {int(w.isnan().sum())} of 200")
    return bool(w.isnan().any())


FACT = Fact(
    id="centered-rmsprop-nan",
    title="Centered RMSprop takes the root of a negative number",
    kind="deviation",
    expected="`√(v − m²)` of a variance, which is never negative",
    executed=(
        "`v − m²` is rounded below 0 where gradients hardly change: NaN, for ever. With the default α after "
        "some thousand steps, with α = ½ after some twenty"
    ),
    reproduce=reproduce,
)
