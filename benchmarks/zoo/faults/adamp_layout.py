"""adamp: AdamP and SGDP raise on a parameter that is not contiguous, such as a transposed one."""

from __future__ import annotations

import adamp
import torch

raised = []
for name in ("AdamP", "SGDP"):
    w = torch.nn.Parameter(torch.ones(4, 3).T)
    w.grad = torch.ones(3, 4)
    try:
        getattr(adamp, name)([w], lr=0.1).step()
    except RuntimeError as error:
        raised.append(name)
        print(f"{name}: RuntimeError: {error}")
raise SystemExit(0 if raised else 1)
