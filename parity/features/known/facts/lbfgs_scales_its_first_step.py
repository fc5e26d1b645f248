"""L-BFGS divides its first step by ‖g‖₁."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, dtype=torch.float64, requires_grad=True)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (2 * w * w).sum()
        loss.backward()
        return loss

    optimizer = torch.optim.LBFGS([w], lr=1, max_iter=1)
    optimizer.step(closure)
    print(f"weight 1 with gradient 4 after one iteration with lr = 1: {w.item()}, not -3")
    return w.item() == 0


FACT = Fact(
    id="lbfgs-scales-its-first-step",
    title="L-BFGS divides its first step by ‖g‖₁",
    kind="surprise",
    expected="`w ← w − ηg`: the inverse Hessian starts as the identity",
    executed="`w ← w − η·min(1, 1/‖g‖₁)·g` in the first iteration, `−η·Hg` later",
    reproduce=reproduce,
)
