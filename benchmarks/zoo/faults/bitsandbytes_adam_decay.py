"""bitsandbytes on the CPU: Adam decays as AdamW does: the two classes are one rule."""

from __future__ import annotations

import bitsandbytes as bnb
import torch


def trained(make: type[torch.optim.Optimizer]) -> float:
    w = torch.ones(1, requires_grad=True)
    optimizer = make([w], lr=0.01, weight_decay=0.5)  # type: ignore[call-arg]
    for _ in range(100):
        w.grad = torch.full((1,), 0.1)
        optimizer.step()
    return w.item()


theirs, theirs_w = trained(bnb.optim.Adam32bit), trained(bnb.optim.AdamW32bit)
adam, adamw = trained(torch.optim.Adam), trained(torch.optim.AdamW)
print(
    f"after 100 steps: bitsandbytes Adam {theirs:.6f}, AdamW {theirs_w:.6f}; torch Adam {adam:.6f}, AdamW {adamw:.6f}"
)
raise SystemExit(0 if theirs == theirs_w else 1)
