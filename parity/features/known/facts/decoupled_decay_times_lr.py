"""AdamW's decoupled decay is multiplied by the learning rate."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    weights = {}
    for lr in (0.5, 0.25):
        w = torch.ones(1, requires_grad=True)
        w.grad = torch.zeros(1)
        torch.optim.AdamW([w], lr=lr, weight_decay=0.5).step()
        weights[lr] = w.item()
    print(f"weight 1 with gradient 0 and weight_decay = 0.5 after one step, by learning rate: {weights}")
    return weights == {0.5: 0.75, 0.25: 0.875}


FACT = Fact(
    id="decoupled-decay-times-lr",
    title="AdamW's decoupled decay is multiplied by the learning rate",
    kind="surprise",
    expected=(
        "`w ← (1 − λ)w − …`: Loshchilov and Hutter's decay is independent of the learning rate but for the schedule"
    ),
    executed="`w ← (1 − ηλ)w − …`: another learning rate is another decay",
    link="https://github.com/pytorch/pytorch/issues/38853",
    reproduce=reproduce,
)
