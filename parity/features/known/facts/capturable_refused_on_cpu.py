"""`capturable=True` is refused on the CPU."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    refused = []
    for name in ("Adam", "RMSprop", "ASGD"):
        w = torch.ones(1, requires_grad=True)
        w.grad = torch.ones(1)
        try:
            getattr(torch.optim, name)([w], capturable=True).step()
        except AssertionError:
            refused.append(name)
    print(f"refused on the CPU with capturable=True: {refused}")
    return refused == ["Adam", "RMSprop", "ASGD"]


FACT = Fact(
    id="capturable-refused-on-cpu",
    title="`capturable=True` is refused on the CPU",
    kind="surprise",
    expected="an option that a test on the CPU can cover",
    executed="`AssertionError` at the first step: the path that CUDA graphs run can be seen on an accelerator only",
    link="https://github.com/pytorch/pytorch/pull/118326",
    reproduce=reproduce,
)
