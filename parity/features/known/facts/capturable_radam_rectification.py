"""Capturable RAdam loses its rectification in float32."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    from unittest.mock import patch

    import torch

    lengths = {}
    for capturable in (False, True):
        w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.RAdam([w], lr=1, betas=(0.9, 0.9999), foreach=False, capturable=capturable)
        # The check of the device is all that keeps the CPU from computing what CUDA computes.
        with patch("torch.optim.radam._get_capturable_supported_devices", return_value=["cpu"]):
            for _ in range(2):
                before = w.item()
                w.grad = torch.ones_like(w)
                optimizer.step()
        lengths["capturable" if capturable else "plain"] = round(before - w.item(), 4)
    print(f"length of the second step with gradient 1 and lr = 1: {lengths}")
    return lengths["plain"] == 1 and lengths["capturable"] < 0.1


FACT = Fact(
    id="capturable-radam-rectification",
    title="Capturable RAdam loses its rectification in float32",
    kind="deviation",
    expected="`ρₖ = ρ∞ − 2kβ₂ᵏ/(1 − β₂ᵏ)` in float64, as in the for-loop: five plain steps, then rectified ones",
    executed=(
        "the same difference of nearly equal numbers in float32: with β₂ = 0.999 the first rectified step is "
        "wrong by 0.6 %, with β₂ = 0.9999 the second step is taken for a rectified one and is 112 times too "
        "short"
    ),
    reproduce=reproduce,
)
