"""pytorch-optimizer: step() adds a coupled weight decay to `.grad` itself; some classes change it in any case."""

from __future__ import annotations

import pytorch_optimizer
import torch

COUPLED = ["AdaDelta", "AdaMax", "ADOPT", "AdEMAMix", "AggMo", "LARS", "MADGRAD", "PAdam", "QHAdam", "QHM"]
ALWAYS = ["NovoGrad", "ScheduleFreeAdamW", "ScheduleFreeSGD"]

changed = []
for name in COUPLED + ALWAYS:
    w = torch.ones(2, 2, requires_grad=True)
    optimizer = getattr(pytorch_optimizer, name)([w], lr=0.1, weight_decay=0.5)
    if hasattr(optimizer, "train"):
        optimizer.train()
    for _ in range(2):
        w.grad = gradient = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        optimizer.step()
    after = [round(x, 3) for x in gradient.flatten().tolist()]
    print(f"{name:17} gradient [1, 2, 3, 4] before step() is {after} after it")
    if after != [1, 2, 3, 4]:
        changed.append(name)
raise SystemExit(0 if changed else 1)
