"""L-BFGS goes on moving a parameter that has no gradient any more."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w, v = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([w, v], lr=0.1, max_iter=1)
    for a, b in ((1.0, 1.0), (0.5, 0.8)):
        w.grad, v.grad = torch.full_like(w, a), torch.full_like(v, b)
        optimizer.step(lambda: 0.0)
    w.grad, v.grad, before = torch.full_like(w, 0.3), None, v.item()
    optimizer.step(lambda: 0.0)
    print(f"the parameter without a gradient goes from {before:.6f} to {v.item():.6f}")
    return v.item() != before


FACT = Fact(
    id="lbfgs-moves-idle",
    title="L-BFGS goes on moving a parameter that has no gradient any more",
    kind="surprise",
    expected="a parameter whose `.grad` is None stays as it is, as with every other optimizer",
    executed="its gradient counts as 0, and the direction of the whole vector moves it along with the remembered pairs",
    reproduce=reproduce,
)
