"""torch-optimizer: Apollo with decay keeps the autograd graph of all its steps in its state, and cannot be resumed."""

from __future__ import annotations

import io

import torch
from torch_optimizer import Apollo

w = torch.ones(2, requires_grad=True)
optimizer = Apollo([w], weight_decay=0.1)
w.grad = torch.ones(2)
optimizer.step()
kept = [name for name, value in optimizer.state[w].items() if torch.is_tensor(value) and value.requires_grad]
file = io.BytesIO()
torch.save(optimizer.state_dict(), file)
file.seek(0)
again = Apollo([w], weight_decay=0.1)
again.load_state_dict(torch.load(file))
said = "it steps"
try:
    again.step()
except RuntimeError as error:
    said = f"RuntimeError: {error}"
print(f"requires_grad after a step: {', '.join(kept) or 'nothing'}; the step after load_state_dict(): {said}")
raise SystemExit(0 if kept else 1)
