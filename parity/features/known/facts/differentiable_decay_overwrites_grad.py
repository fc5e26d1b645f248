"""SGD with a differentiable weight decay overwrites `.grad`."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    decay = torch.tensor(0.5, requires_grad=True)
    w = torch.ones(4, requires_grad=True).clone()
    g = torch.ones(4)
    w.grad = g
    torch.optim.SGD([w], lr=0.1, weight_decay=decay, differentiable=True).step()
    print(f"gradient before the step 1, after it {g[0].item()}")
    return bool((g != 1).any())


FACT = Fact(
    id="differentiable-decay-overwrites-grad",
    title="SGD with a differentiable weight decay overwrites `.grad`",
    kind="deviation",
    expected="`.grad` is what `backward` left there",
    executed=(
        "`.grad ← g + λw`, in place, where `weight_decay` is a tensor that requires a gradient, which the "
        "linked change allows"
    ),
    link="https://github.com/pytorch/pytorch/pull/143679",
    reproduce=reproduce,
)
