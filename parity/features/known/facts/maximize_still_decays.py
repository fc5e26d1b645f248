"""Under `maximize` the decay is not maximised."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, requires_grad=True)
    w.grad = torch.zeros(1)
    torch.optim.SGD([w], lr=0.5, weight_decay=0.5, maximize=True).step()
    print(f"weight 1 with gradient 0 after one step of ascent: {w.item()}, not 1.25")
    return w.item() == 0.75


FACT = Fact(
    id="maximize-still-decays",
    title="Under `maximize` the decay is not maximised",
    kind="surprise",
    expected="`w ← w + η∇(J + λ/2·‖w‖²)`",
    executed="`w ← w + η∇J − ηλw`: the loss is ascended, the penalty descended",
    reproduce=reproduce,
)
