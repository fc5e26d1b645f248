"""schedulefree: step() divides `.grad` by √v (AdamW, RAdam) or adds the weight decay to it (SGD)."""

from __future__ import annotations

import schedulefree
import torch

changed = []
for name in (
    "SGDScheduleFree",
    "SGDScheduleFreeReference",
    "AdamWScheduleFree",
    "AdamWScheduleFreeReference",
    "AdamWScheduleFreePaper",
    "RAdamScheduleFree",
):
    w = torch.ones(1, requires_grad=True)
    optimizer = getattr(schedulefree, name)([w], lr=0.1, weight_decay=0.5)
    optimizer.train()
    for _ in range(10):
        w.grad = gradient = torch.full((1,), 4.0)
        optimizer.step()
    print(f"{name:27} gradient 4 before step(), {gradient.item():.6f} after it")
    if gradient.item() != 4:
        changed.append(name)
raise SystemExit(0 if changed else 1)
