"""torch-optimizer: PID takes the whole second gradient for the difference of the first two."""

from __future__ import annotations

import torch
from torch_optimizer import PID

w = torch.zeros(1, requires_grad=True)
optimizer = PID([w], lr=0.1, momentum=0.5, integral=0.0, derivative=1.0)
for _ in range(2):
    w.grad = torch.ones(1)
    optimizer.step()
derivative = optimizer.state[w]["d_buffer"].item()
print(f"gradient 1 twice: the average of differences is {derivative}, not 0")
raise SystemExit(0 if derivative != 0 else 1)
