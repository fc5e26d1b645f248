"""A GradScaler skips steps, the first ones above all, and leaves no state."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.Adam([w])
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale((w * 1e35).sum()).backward()  # 65536 * 1e35 is infinite in float32
    scaler.step(optimizer)
    scaler.update()
    state = dict(optimizer.state)
    print(f"weight {w.item()}, state {state}, scale {scaler.get_scale():.0f} after scaler.step()")
    return w.item() == 1 and not state and scaler.get_scale() == 32768


FACT = Fact(
    id="grad-scaler-skips-first-step",
    title="A GradScaler skips steps, the first ones above all, and leaves no state",
    kind="surprise",
    expected="`scaler.step(optimizer)` steps",
    executed=(
        "where a gradient is not finite nothing is updated, no state is made and no step counted, the scale "
        "is halved; schedules that step anyway run ahead"
    ),
    reproduce=reproduce,
)
