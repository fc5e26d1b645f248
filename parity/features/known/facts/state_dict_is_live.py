"""`state_dict()` is not a copy."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, requires_grad=True)
    w.grad = torch.ones(1)
    optimizer = torch.optim.SGD([w], lr=0.5, momentum=0.5)
    optimizer.step()
    snapshot = optimizer.state_dict()
    before = snapshot["state"][0]["momentum_buffer"].item()
    optimizer.step()
    after = snapshot["state"][0]["momentum_buffer"].item()
    print(f"momentum in a state_dict() taken before a step: {before}, looked at after the step: {after}")
    return before != after


FACT = Fact(
    id="state-dict-is-live",
    title="`state_dict()` is not a copy",
    kind="surprise",
    expected="a snapshot",
    executed=(
        "its tensors are those of the optimizer, and the next step changes them; copy them, or save them at once"
    ),
    reproduce=reproduce,
)
