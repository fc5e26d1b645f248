"""L-BFGS remembers a step that it did not take."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=1)
    for gradient in (1e-6, -1.0):
        before = w.item()
        w.grad = torch.full_like(w, gradient)
        optimizer.step(lambda: 0.0)
        if gradient > 0:
            stayed = w.item() == before
    remembered = optimizer.state[w]["old_stps"]
    print(f"the first step moved nothing: {stayed}; remembered as a step: {[s.item() for s in remembered]}")
    return stayed and len(remembered) == 1


FACT = Fact(
    id="lbfgs-remembers-no-step",
    title="L-BFGS remembers a step that it did not take",
    kind="deviation",
    expected="`s` is the change of the weights: 0, and no pair, where a step was given up",
    executed="`s = t·d` also where the step stopped at `g·d > −tolerance_change` before it moved anything",
    reproduce=reproduce,
)
