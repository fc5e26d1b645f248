"""Foreach Adam refuses a learning rate that is a tensor."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, requires_grad=True)
    w.grad = torch.ones(1)
    refused = []
    for name in ("SGD", "RMSprop", "Adam", "AdamW"):
        try:
            getattr(torch.optim, name)([w], lr=torch.tensor(0.5), foreach=True).step()
        except ValueError:
            refused.append(name)
    print(f"refused with lr=torch.tensor(0.5), foreach=True: {refused}")
    return refused == ["Adam", "AdamW"]


FACT = Fact(
    id="tensor-lr-refused-by-foreach",
    title="Foreach Adam refuses a learning rate that is a tensor",
    kind="surprise",
    expected="the same options in each implementation",
    executed=(
        "`ValueError`, though it is the default on CUDA; the for-loop and fused Adam, and the other foreach "
        "optimizers, take it"
    ),
    link="https://github.com/pytorch/pytorch/pull/106916",
    reproduce=reproduce,
)
