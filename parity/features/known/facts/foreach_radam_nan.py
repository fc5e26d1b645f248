"""Foreach RAdam multiplies an infinity by zero in the steps that are not rectified."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    result = {}
    for foreach in (False, True):
        w = torch.ones(4, dtype=torch.float16, requires_grad=True)
        w.grad = torch.full_like(w, 1e-3)
        torch.optim.RAdam([w], lr=0.1, foreach=foreach).step()
        result["foreach" if foreach else "for-loop"] = w[0].item()
    print(f"weight 1 after one step: {result}")
    return result["foreach"] != result["foreach"] and result["for-loop"] < 1.01


FACT = Fact(
    id="foreach-radam-nan",
    title="Foreach RAdam multiplies an infinity by zero in the steps that are not rectified",
    kind="deviation",
    expected="`w ← w − η·m̂` while `ρₜ ≤ 5`: the second moment is not used",
    executed=(
        "`w ← w − (η·m̂ + 0·m̂/(√v + ε))`: NaN where `√v + ε` is 0, that is in float16 for gradients below "
        "about 0.005 and with `eps=0`"
    ),
    reproduce=reproduce,
)
