"""Muon without Nesterov normalises its own momentum buffer where that is bfloat16."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    norms = {}
    for dtype in (torch.float32, torch.bfloat16):
        w = torch.eye(4, dtype=dtype, requires_grad=True)
        w.grad = torch.full_like(w, 100.0)
        optimizer = torch.optim.Muon([w], momentum=0.9, nesterov=False)
        optimizer.step()
        norms[str(dtype)] = optimizer.state[w]["momentum_buffer"].norm().item()
    print(f"norm of the buffer after one step, 0.1·‖g‖ = 40: {norms}")
    return norms["torch.bfloat16"] < 1.1 and norms["torch.float32"] > 39


FACT = Fact(
    id="muon-overwrites-buffer",
    title="Muon without Nesterov normalises its own momentum buffer where that is bfloat16",
    kind="deviation",
    expected="`b ← μb + (1 − μ)g`, whatever is done with a copy of b afterwards",
    executed=(
        "`b ← b/‖b‖` besides: `.bfloat16()` of a bfloat16 buffer is the buffer itself, which is divided by its norm in "
        "place before the Newton–Schulz iteration; from the second step on the momentum has lost its size"
    ),
    link="https://github.com/pytorch/pytorch/pull/194664",
    reproduce=reproduce,
)
