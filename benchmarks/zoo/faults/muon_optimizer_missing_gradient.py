"""muon-optimizer: step() raises where a parameter has no gradient, as a frozen one has."""

from __future__ import annotations

import torch
from muon import SingleDeviceMuon

used, unused = (torch.ones(2, 2, requires_grad=True) for _ in range(2))
used.grad = torch.ones(2, 2)
torch.optim.SGD([used, unused], lr=0.1).step()  # torch's own optimizers skip it
try:
    SingleDeviceMuon([used, unused], lr=0.1).step()
except TypeError as error:
    print(f"one parameter without gradient: TypeError: {str(error).splitlines()[0]}")
    raise SystemExit(0) from None
print("one parameter without gradient: skipped")
raise SystemExit(1)
