"""SGD's first momentum step is not dampened."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, requires_grad=True)
    w.grad = torch.ones(1)
    optimizer = torch.optim.SGD([w], lr=0.5, momentum=0.5, dampening=0.5)
    optimizer.step()
    first = optimizer.state[w]["momentum_buffer"].item()
    print(f"first momentum with gradient 1 and dampening 0.5: {first}")
    return first == 1


FACT = Fact(
    id="first-momentum-step-undampened",
    title="SGD's first momentum step is not dampened",
    kind="surprise",
    expected="`b₁ = (1 − τ)g₁`, as for a buffer that starts at 0",
    executed="`b₁ = g₁`, and only later `b ← μb + (1 − τ)g`",
    link="https://github.com/pytorch/pytorch/pull/152833",
    reproduce=reproduce,
)
