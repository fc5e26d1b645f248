"""Weight decay shrinks the bias, too."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    layer = torch.nn.utils.skip_init(torch.nn.Linear, 1, 1)
    layer.bias.data.fill_(1)
    layer.bias.grad = torch.zeros(1)
    torch.optim.SGD(layer.parameters(), lr=0.5, weight_decay=0.5).step()
    print(f"bias 1 with gradient 0 after one step: {layer.bias.item()}")
    return layer.bias.item() == 0.75


FACT = Fact(
    id="weight-decay-reaches-bias",
    title="Weight decay shrinks the bias, too",
    kind="surprise",
    expected="`λ/2·‖w‖²` is a penalty on the weights",
    executed="`b ← b − ηλb`: each parameter of the group is decayed; give the bias a group with `weight_decay=0`",
    link="https://github.com/pytorch/pytorch/issues/2639",
    reproduce=reproduce,
)
