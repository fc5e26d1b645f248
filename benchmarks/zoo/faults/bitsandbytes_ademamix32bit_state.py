"""bitsandbytes: AdEMAMix32bit has the state of Adam, one average too few, and raises on the CPU; AdEMAMix does not."""

from __future__ import annotations

import bitsandbytes as bnb
import torch

raised = []
for name in ("AdEMAMix", "AdEMAMix32bit"):
    w = torch.ones(3, 11, requires_grad=True)
    w.grad = torch.ones(3, 11)
    try:
        getattr(bnb.optim, name)([w]).step()
        print(f"{name}: it steps")
    except RuntimeError as error:
        raised.append(name)
        print(f"{name}: RuntimeError: {error}")
raise SystemExit(0 if raised else 1)
