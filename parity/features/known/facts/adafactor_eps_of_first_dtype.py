"""Adafactor gives every parameter of a group the ε₁ of the first one's dtype."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    def last(*dtypes: torch.dtype) -> float:
        parameters = [torch.ones(1, dtype=dtype, requires_grad=True) for dtype in dtypes]
        for parameter in parameters:
            parameter.grad = torch.full_like(parameter, 1e-4)
        torch.optim.Adafactor(parameters).step()
        return parameters[-1].item()

    alone, beside = last(torch.float64), last(torch.bfloat16, torch.float64)
    print(f"a float64 weight 1 after one step: alone {alone:.6f}, beside a bfloat16 one {beside:.6f}")
    return alone != beside


FACT = Fact(
    id="adafactor-eps-of-first-dtype",
    title="Adafactor gives every parameter of a group the ε₁ of the first one's dtype",
    kind="deviation",
    expected="`eps=(None, …)` stands for the machine epsilon of each parameter's own dtype",
    executed=(
        "the for-loop replaces None once, by the epsilon of the first parameter, and goes on with that number; foreach "
        "does the same with the dtype that it happens to take first"
    ),
    reproduce=reproduce,
)
