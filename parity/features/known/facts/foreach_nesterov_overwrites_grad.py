"""Foreach SGD with Nesterov momentum overwrites `.grad`."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(4, requires_grad=True)
    g = torch.ones(4)
    w.grad = g
    torch.optim.SGD([w], lr=0.5, momentum=0.5, nesterov=True, foreach=True).step()
    print(f"gradient before the step 1, after it {g[0]}")
    return bool((g != 1).any())


FACT = Fact(
    id="foreach-nesterov-overwrites-grad",
    title="Foreach SGD with Nesterov momentum overwrites `.grad`",
    kind="deviation",
    expected="`.grad` is what `backward` left there: the for-loop leaves it alone",
    executed=(
        "`.grad ← g + μb`, in place, where neither weight decay nor `maximize` has made a copy before; "
        "foreach is the default on CUDA. The linked change removed such overwriting elsewhere"
    ),
    link="https://github.com/pytorch/pytorch/pull/92706",
    reproduce=reproduce,
)
