"""MSELoss divides by rows × outputs."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    losses = {q: torch.nn.functional.mse_loss(torch.ones(5, q), torch.zeros(5, q)).item() for q in (1, 4)}
    print(f"loss for residuals of 1, by number of outputs: {losses}; mean of squared norms: 1 and 4")
    return losses == {1: 1, 4: 1}


FACT = Fact(
    id="mse-loss-mean-over-outputs",
    title="MSELoss divides by rows × outputs",
    kind="surprise",
    expected="`1/n·Σᵢ‖rᵢ‖²`: the mean over the n rows",
    executed="`1/(n·q)·Σᵢ‖rᵢ‖²` for q outputs: more outputs, a weaker loss beside the same decay",
    reproduce=reproduce,
)
