"""MSELoss has no ½: `weight_decay` is half as strong as beside ½·MSE."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    one = torch.ones_like(w).detach()
    optimizer = torch.optim.SGD([w], lr=0.1, weight_decay=1)
    for _ in range(200):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(w * one, one).backward()
        optimizer.step()
    print(f"minimiser for x = y = 1 and weight_decay = 1: {w.item():.6f}, not 0.5")
    return abs(w.item() - 2 / 3) < 1e-12


FACT = Fact(
    id="mse-loss-without-half",
    title="MSELoss has no ½: `weight_decay` is half as strong as beside ½·MSE",
    kind="surprise",
    expected="with `½·mean(r²) + λ/2·‖w‖²` the minimiser for x = y = 1 is `1/(1 + λ)`",
    executed="`mean(r²) + λ/2·‖w‖²` has its minimum at `1/(1 + λ/2)`; double `weight_decay` to get the first",
    reproduce=reproduce,
)
