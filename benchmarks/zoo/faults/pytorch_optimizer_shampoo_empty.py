"""pytorch_optimizer: Shampoo raises on a parameter without elements."""

from __future__ import annotations

import torch
from pytorch_optimizer import Shampoo

w = torch.ones(0, 2, requires_grad=True)
w.grad = torch.ones(0, 2)
torch.optim.SGD([w], lr=0.1).step()  # torch's own optimizers take it
try:
    Shampoo([w], lr=0.1).step()
except RuntimeError as error:
    print(f"a parameter of shape (0, 2): RuntimeError: {str(error).splitlines()[0]}")
    raise SystemExit(0) from None
raise SystemExit(1)
