"""apollo-torch: GaLoreAdafactor calls the closure of step() where gradients are off, so that its backward() raises."""

from __future__ import annotations

import torch
from apollo_torch import GaLoreAdafactor

w = torch.ones(2, requires_grad=True)
optimizer = GaLoreAdafactor([w], lr=0.1, relative_step=False, scale_parameter=False)


def closure() -> torch.Tensor:
    loss = (w * w).sum()
    loss.backward()  # type: ignore[no-untyped-call]
    return loss


torch.optim.SGD([w], lr=0.1).step(closure)  # torch's own optimizers take it
try:
    optimizer.step(closure)
    said = ""
except RuntimeError as error:
    said = str(error)
print(f"step(closure): {said or 'no error'}")
raise SystemExit(0 if "does not require grad" in said else 1)
