"""ASGD decays the weights though `weight_decay` is 0."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, dtype=torch.float64, requires_grad=True)
    w.grad = torch.zeros_like(w)
    torch.optim.ASGD([w], lr=0.5, weight_decay=0).step()
    print(f"weight 1 with gradient 0 after one step: {w.item()}")
    return w.item() < 1


FACT = Fact(
    id="asgd-decays-by-lambd",
    title="ASGD decays the weights though `weight_decay` is 0",
    kind="surprise",
    expected="no decay by default",
    executed="`w ← (1 − λ′η)w − ηg` with `lambd` λ′ = 1e-4 by default, besides `weight_decay`",
    link="https://github.com/pytorch/pytorch/issues/74884",
    reproduce=reproduce,
)
