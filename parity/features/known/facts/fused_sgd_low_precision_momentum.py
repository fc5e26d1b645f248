"""Fused SGD on the CPU reads the low-precision momentum buffer as if it held float32."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    wrong = {}
    for dtype in (torch.bfloat16, torch.float16):
        w = torch.zeros(64, dtype=dtype, requires_grad=True)
        g = torch.arange(64).to(dtype)
        optimizer = torch.optim.SGD([w], lr=0.5, momentum=0.5, fused=True)
        for _ in range(2):
            w.grad = g.clone()
            optimizer.step()
        wrong[dtype] = int((optimizer.state[w]["momentum_buffer"] != 1.5 * g).sum())
    print(f"momentum buffers that are not 0.5 * g + g, of 64: {wrong}")
    return any(wrong.values())


FACT = Fact(
    id="fused-sgd-low-precision-momentum",
    title="Fused SGD on the CPU reads the low-precision momentum buffer as if it held float32",
    kind="deviation",
    expected="`b ← μb + (1 − τ)g`",
    executed="`b ← μ·float32(two neighbouring 16-bit numbers of b) + (1 − τ)g` in every complete SIMD vector",
    link="https://github.com/pytorch/pytorch/pull/192545",
    reproduce=reproduce,
)
