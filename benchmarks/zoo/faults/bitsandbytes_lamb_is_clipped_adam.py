"""bitsandbytes on the CPU: LAMB never lengthens a step: it is AdamW, its update clipped to max_unorm·‖w‖."""

from __future__ import annotations

import bitsandbytes as bnb
import torch

for size in (0.01, 100.0):
    w = torch.full((4,), size, requires_grad=True)
    w.grad = torch.ones(4)
    bnb.optim.LAMB32bit([w], lr=0.01).step()
    ratio = (w.detach() - size).norm().item() / (0.01 * 2 * size)
    print(f"‖w‖ = {2 * size:g}: the first step is {ratio:.4g} · lr · ‖w‖; of LAMB it is 1 · lr · ‖w‖")
raise SystemExit(0 if ratio < 0.5 else 1)
