"""For-loop NAdam in float16 does not move where a first gradient is above 256, because v/c₂ overflows."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    after = {}
    for foreach in (False, True):
        w = torch.ones(1, dtype=torch.float16, requires_grad=True)
        w.grad = torch.full_like(w, 300.0)
        torch.optim.NAdam([w], lr=0.1, foreach=foreach).step()
        after["foreach" if foreach else "for-loop"] = w.item()
    print(f"weight 1 after a step with gradient 300: {after}")
    return after["for-loop"] == 1 and after["foreach"] < 1


FACT = Fact(
    id="nadam-float16-overflow",
    title="For-loop NAdam in float16 does not move where a first gradient is above 256",
    kind="deviation",
    expected="`w ← w − …/(√v/√c₂ + ε)`, as foreach computes it: √v is about 9 and √c₂ about 0.03",
    executed="`√(v/c₂)`: the quotient is g² = 90000, above float16's largest number 65504, and the step divides by ∞",
    reproduce=reproduce,
)
