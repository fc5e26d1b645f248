"""The step counter is float32 and stops at 16,777,216."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, requires_grad=True)
    w.grad = torch.ones(1)
    optimizer = torch.optim.Adagrad([w])
    optimizer.state[w]["step"].fill_(2**24)
    optimizer.step()
    count = int(optimizer.state[w]["step"].item())
    print(f"step {2**24} is followed by step {count}")
    return count == 2**24


FACT = Fact(
    id="step-counter-stops",
    title="The step counter is float32 and stops at 16,777,216",
    kind="surprise",
    expected="`k ← k + 1`",
    executed="`k ← k` from 2²⁴ on: a rate that falls with k, as in Adagrad and ASGD, falls no further",
    reproduce=reproduce,
)
