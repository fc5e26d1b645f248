"""Rprop's `lr` is the length of its first step only; after a change of sign it stands still."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Rprop([w], lr=1)
    path = []
    for g in (1, 1, -1, -1):
        w.grad = torch.full((1,), float(g))
        optimizer.step()
        optimizer.param_groups[0]["lr"] = 0
        path.append(round(w.item(), 4))
    print(f"weights for gradients 1, 1, -1, -1 with lr set to 0 after the first step: {path}")
    return path == [-1, -2.2, -2.2, -1.6]


FACT = Fact(
    id="rprop-lr-is-first-step",
    title="Rprop's `lr` is the length of its first step only; after a change of sign it stands still",
    kind="surprise",
    expected="`w ← w − η·(…)`, so that a schedule of the learning rate acts",
    executed=(
        "`lr` fills `step_size` at the first step and is not looked at again; where the sign of g changes, "
        "the step is halved and left out"
    ),
    reproduce=reproduce,
)
