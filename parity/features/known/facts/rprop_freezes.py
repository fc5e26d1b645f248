"""Rprop stands still where η⁻ rounds to 1 in the dtype."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    after = {}
    for dtype in (torch.float32, torch.bfloat16):
        w = torch.ones(1, dtype=dtype, requires_grad=True)
        w.grad = torch.ones_like(w)
        torch.optim.Rprop([w], lr=0.25, etas=(0.999, 1.2)).step()
        after[str(dtype)] = w.item()
    print(f"weight 1 after a step of 0.25: {after}")
    return after["torch.bfloat16"] == 1 and after["torch.float32"] == 0.75


FACT = Fact(
    id="rprop-freezes",
    title="Rprop stands still where η⁻ rounds to 1 in the dtype",
    kind="deviation",
    expected="a gradient is left out of the step only where its sign has changed",
    executed=(
        "it is left out where the factor of the step size *equals* η⁻, both in the dtype: for η⁻ = 0.999 in bfloat16 "
        "both are 1, as is the factor of a first step, and nothing ever moves"
    ),
    reproduce=reproduce,
)
