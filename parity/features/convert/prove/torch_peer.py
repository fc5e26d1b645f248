"""torch: one full-batch step of ``torch.optim.SGD``, the bias in a parameter group of its own.

Of SGD whatever the optimizer: its step with rate 1 is ∂J itself. The other coupled ones see the same ∂J and descend the
same J by another path (tests/parity/test_convert_proofs.py: each rests where ∂J = 0).
"""

from __future__ import annotations

from parity.features.convert.prove.peer_run import PeerRun, rest
from parity.features.convert.prove.sample import Sample
from refimpl.conventions.torch import Torch
from refimpl.objective import Facts
from refimpl.types import Array


def run(convention: Torch, facts: Facts, sample: Sample) -> PeerRun:
    import torch

    reduction = "mean" if convention.loss.endswith("mse") else "sum"
    half = 2 if convention.loss.startswith("half") else 1
    X, y = torch.tensor(sample.X), torch.tensor(sample.y)

    def step(weight: Array, bias: float) -> tuple[Array, float]:
        w = torch.tensor(weight, requires_grad=True)
        b = torch.tensor(bias, dtype=torch.float64, requires_grad=True)
        groups = [{"params": [w], "weight_decay": convention.weight_decay}, {"params": [b], "weight_decay": 0.0}]
        optimizer = torch.optim.SGD(groups, lr=1.0)
        loss = torch.nn.MSELoss(reduction=reduction)(X @ w + b, y) / half
        loss = loss + convention.l2 * (w**2).sum() + convention.l1 * w.abs().sum()
        loss.backward()
        optimizer.step()
        return w.detach().numpy(), b.item()

    other = "" if convention.optimizer == "sgd" else f", not {convention.optimizer},"
    text = f"one step of SGD{other} from the minimiser"
    return rest(convention.name, text, convention.ours(facts), sample, step)
