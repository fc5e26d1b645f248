"""Fused SGD on the CPU leaves whole vectors of bfloat16 and float16 weights unchanged."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    unchanged = {}
    for dtype in (torch.bfloat16, torch.float16):
        w = torch.ones(64, dtype=dtype, requires_grad=True)
        w.grad = torch.ones_like(w)
        torch.optim.SGD([w], lr=0.5, fused=True).step()
        unchanged[dtype] = int((w == 1).sum())
    print(f"weights unchanged by w - 0.5 * 1, of 64: {unchanged}")
    return any(unchanged.values())


FACT = Fact(
    id="fused-sgd-skips-vectors",
    title="Fused SGD on the CPU leaves whole vectors of bfloat16 and float16 weights unchanged",
    kind="deviation",
    expected="`w ← w − ηg` for every element",
    executed=(
        "`w ← w` for every element of a complete SIMD vector; only the remainder, `n mod vector width`, is updated"
    ),
    versions="2.12.1 (by the report) and 2.13.0",
    link="https://github.com/pytorch/pytorch/issues/191763",
    reproduce=reproduce,
)
