"""A lazy layer draws its weights anew at its first input."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    with torch.random.fork_rng(devices=[]):
        layer = torch.nn.LazyLinear(1)
        layer.weight.data.fill_(0)
        layer.bias.data.fill_(0)
        layer(torch.zeros(1, 4))
    print(f"weights set to 0 before the first input are then {layer.weight.tolist()[0]}")
    return bool((layer.weight != 0).any())


FACT = Fact(
    id="lazy-layer-forgets-weights",
    title="A lazy layer draws its weights anew at its first input",
    kind="surprise",
    expected="weights that were set stay set",
    executed=(
        "before the first forward pass there are none: `.data.normal_()` fills an empty tensor in silence, "
        "and the layer's own default initialisation comes later"
    ),
    link="https://github.com/pytorch/pytorch/issues/125861",
    reproduce=reproduce,
)
