"""With a GradScaler, fused optimizers unscale `.grad` inside the step, and only if they take it."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    gradients = {}
    for fused in (False, True):
        w, spoiled = (torch.ones(1, requires_grad=True) for _ in range(2))
        optimizer = torch.optim.SGD([w, spoiled], lr=0.5, fused=fused)
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
        scaler.scale(w.sum() + (spoiled * float("inf")).sum()).backward()
        scaler.step(optimizer)
        gradients["fused" if fused else "for-loop"] = None if w.grad is None else w.grad.item()
    print(f"gradient 1, scaled by 4, after a step that was skipped: {gradients}")
    return gradients == {"for-loop": 1, "fused": 4}


FACT = Fact(
    id="fused-unscales-in-step",
    title="With a GradScaler, fused optimizers unscale `.grad` inside the step, and only if they take it",
    kind="surprise",
    expected="`.grad` is unscaled by `scaler.step()` before the optimizer sees it, also when the step is skipped",
    executed="the kernel divides `.grad` by the scale, in place; after a skipped step `.grad` is still scaled",
    link="https://github.com/pytorch/pytorch/pull/98772",
    reproduce=reproduce,
)
