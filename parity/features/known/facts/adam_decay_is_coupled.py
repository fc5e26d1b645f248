"""Adam's `weight_decay` is scaled away by √v."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    weights = {}
    for decay in (0, 10):
        w = torch.ones(1, dtype=torch.float64, requires_grad=True)
        w.grad = torch.ones_like(w)
        torch.optim.Adam([w], lr=0.5, eps=0, weight_decay=decay).step()
        weights[decay] = round(w.item(), 12)
    print(f"weight 1 with gradient 1 after one step with lr = 0.5, by weight_decay: {weights}")
    return weights == {0: 0.5, 10: 0.5}


FACT = Fact(
    id="adam-decay-is-coupled",
    title="Adam's `weight_decay` is scaled away by √v",
    kind="surprise",
    expected="`w ← w − ηλw − …`",
    executed=(
        "`g ← g + λw` enters both moments, so that `g/√v` loses its size: the first step is `−η·sign(g + "
        "λw)`, whatever λ is"
    ),
    reproduce=reproduce,
)
