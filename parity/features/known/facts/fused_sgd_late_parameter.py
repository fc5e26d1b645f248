"""Fused SGD with momentum breaks when a parameter gets its first gradient later than another."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    first, late = (torch.ones(4, requires_grad=True) for _ in range(2))
    optimizer = torch.optim.SGD([first, late], lr=0.1, momentum=0.9, fused=True)
    first.grad = torch.ones(4)
    optimizer.step()
    late.grad = torch.ones(4)
    try:
        optimizer.step()
    except TypeError as error:
        print(f"refused: {error}")
        return True
    print("updated")
    return False


FACT = Fact(
    id="fused-sgd-late-parameter",
    title="Fused SGD with momentum breaks when a parameter gets its first gradient later than another",
    kind="deviation",
    expected="`b ← g` for the parameter that joins, as in the for-loop and foreach",
    executed="`TypeError`: the list of momentum buffers holds None for the late one",
    reproduce=reproduce,
)
