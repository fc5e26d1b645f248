"""dadaptation: DAdaptAdan and DAdaptAdaGrad move every parameter group by the lr of the first one."""

from __future__ import annotations

import dadaptation
import torch

ratios = []
for name in ("DAdaptAdan", "DAdaptAdaGrad"):
    one, two = (torch.zeros(1, requires_grad=True) for _ in range(2))
    optimizer = getattr(dadaptation, name)([{"params": [one], "lr": 1.0}, {"params": [two], "lr": 0.01}])
    for _ in range(10):
        one.grad, two.grad = torch.ones(1), torch.ones(1)
        optimizer.step()
    ratios.append(one.item() / two.item())
    print(f"{name}: the same gradients, lr = 1 and 0.01: moved by {one.item():.4g} and {two.item():.4g}")
raise SystemExit(0 if max(ratios) < 2 else 1)
