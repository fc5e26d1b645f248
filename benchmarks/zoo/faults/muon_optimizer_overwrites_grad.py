"""muon-optimizer: step() overwrites `.grad` with the Nesterov gradient."""

from __future__ import annotations

import torch
from muon import SingleDeviceMuon

w = torch.ones(2, 2, requires_grad=True)
w.grad = torch.ones(2, 2)
SingleDeviceMuon([w], lr=0.1).step()
after = w.grad[0, 0].item()
print(f"gradient 1 before step(), {after:.6f} after it")
raise SystemExit(0 if after != 1 else 1)
