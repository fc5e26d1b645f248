"""A learning rate given as `torch.tensor(0.1)` is a float32 number, for float64 weights too."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    steps = []
    for lr in (0.1, torch.tensor(0.1), torch.tensor(0.1, dtype=torch.float64)):
        w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        w.grad = torch.ones_like(w)
        torch.optim.SGD([w], lr=lr).step()
        steps.append(-w.item())
    print(f"one step with gradient 1: lr = 0.1 {steps[0]}, a tensor {steps[1]}, a float64 tensor {steps[2]}")
    return steps[0] == steps[2] == 0.1 != steps[1]


FACT = Fact(
    id="tensor-lr-is-float32",
    title="A learning rate given as `torch.tensor(0.1)` is a float32 number, for float64 weights too",
    kind="surprise",
    expected="`η = 0.1` in float64, as for a Python number",
    executed="`η = 0.10000000149…`: a relative error of 1.5e-8 in each step; say `dtype=torch.float64`",
    reproduce=reproduce,
)
