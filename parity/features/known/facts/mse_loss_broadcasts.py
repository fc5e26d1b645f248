"""MSELoss broadcasts (n, 1) against (n,) with no more than a warning."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import warnings

    import torch

    y = torch.tensor([1.0, 2.0, 3.0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loss = torch.nn.functional.mse_loss(y.reshape(3, 1), y).item()
    print(f"loss of a perfect prediction of shape (3, 1) for a target of shape (3,): {loss:.4f}, {len(caught)} warning")
    return loss > 1


FACT = Fact(
    id="mse-loss-broadcasts",
    title="MSELoss broadcasts (n, 1) against (n,) with no more than a warning",
    kind="surprise",
    expected="an error, or `mean over i of (ŷᵢ − yᵢ)²`",
    executed="`mean over i, j of (ŷᵢ − yⱼ)²`, minimal where all predictions are the mean of y",
    link="https://github.com/pytorch/pytorch/issues/16045",
    reproduce=reproduce,
)
