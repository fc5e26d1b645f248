"""Fused Adagrad in float16 turns weights to NaN by their position."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(67, dtype=torch.float16, requires_grad=True)  # the last three fill no vector
    w.grad = torch.zeros_like(w)
    torch.optim.Adagrad([w], fused=True).step()
    print(f"first weight {w[0].item()}, last weight {w[-1].item()}, both had gradient 0")
    return bool(w[0].isnan() and w[-1] == 1)


FACT = Fact(
    id="fused-adagrad-float16-nan",
    title="Fused Adagrad in float16 turns weights to NaN by their position",
    kind="deviation",
    expected="`w ← w − ηg/(√s + ε)`: without a gradient, `w ← w`",
    executed=(
        "ε is rounded to float16, where 1e-10 is 0, in complete SIMD vectors only: `0/0` there, and `w ← w` "
        "in the remainder. The linked change is about the same casts in fused SGD"
    ),
    link="https://github.com/pytorch/pytorch/pull/192545",
    reproduce=reproduce,
)
