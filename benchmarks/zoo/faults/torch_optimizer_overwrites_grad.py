"""torch-optimizer: step() adds the weight decay to `.grad` itself; some classes change it without decay, too."""

from __future__ import annotations

import torch
import torch_optimizer

WITH_DECAY = ["AccSGD", "AdaBelief", "AggMo", "DiffGrad", "MADGRAD", "PID", "QHAdam", "QHM", "SWATS"]
WITHOUT = ["NovoGrad", "Shampoo"]

changed = []
for name in WITH_DECAY + WITHOUT:
    w = torch.ones(2, 2, requires_grad=True)
    w.grad = torch.ones(2, 2)
    hyper = {"weight_decay": 0.5} if name in WITH_DECAY else {"momentum": 0.9} if name == "Shampoo" else {}
    optimizer = getattr(torch_optimizer, name)([w], lr=0.1, **hyper)
    for _ in range(2):
        w.grad = gradient = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        optimizer.step()
    after = [round(x, 3) for x in gradient.flatten().tolist()]
    print(f"{name:10} {hyper}: gradient [1, 2, 3, 4] before step() is {after} after it")
    if after != [1, 2, 3, 4]:
        changed.append(name)
raise SystemExit(0 if changed else 1)
