"""`clip_grad_norm_` zeroes finite float16 gradients whose norm overflows."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(100_000, dtype=torch.float16, requires_grad=True)
    g = torch.full_like(w, 300)
    w.grad = g
    norm = torch.nn.utils.clip_grad_norm_([w], 1.0)
    print(f"norm of 100,000 float16 gradients of 300: {norm.item()}; largest after clipping to 1: {g.max().item()}")
    return g.max().item() == 0


FACT = Fact(
    id="clip-grad-norm-float16-zero",
    title="`clip_grad_norm_` zeroes finite float16 gradients whose norm overflows",
    kind="surprise",
    expected="`g ← g·c/‖g‖`",
    executed=(
        "`‖g‖` above 65504 is ∞ in float16, and `c/∞ = 0`: a step without gradient, in silence unless "
        "`error_if_nonfinite=True`"
    ),
    link="https://github.com/pytorch/pytorch/pull/53843",
    reproduce=reproduce,
)
