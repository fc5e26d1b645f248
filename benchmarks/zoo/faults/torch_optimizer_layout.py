"""torch-optimizer: some classes raise on a parameter that is not contiguous, such as a transposed one."""

from __future__ import annotations

import torch
import torch_optimizer

raised = []
for name in ("AdamP", "SGDP", "SWATS"):
    w = torch.nn.Parameter(torch.ones(4, 3).T)
    optimizer = getattr(torch_optimizer, name)([w], lr=0.1)
    try:
        for _ in range(2):
            w.grad = torch.ones(3, 4)
            optimizer.step()
    except RuntimeError as error:
        raised.append(name)
        print(f"{name}: RuntimeError: {error}")
raise SystemExit(0 if raised else 1)
