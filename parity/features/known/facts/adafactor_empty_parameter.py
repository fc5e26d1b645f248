"""Adafactor divides by the size of an empty parameter."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(0, requires_grad=True)
    w.grad = torch.ones(0)
    torch.optim.Adam([w]).step()
    try:
        torch.optim.Adafactor([w]).step()
    except ZeroDivisionError as error:
        print(f"Adam steps over an empty parameter, Adafactor: {error}")
        return True
    print("both step over an empty parameter")
    return False


FACT = Fact(
    id="adafactor-empty-parameter",
    title="Adafactor divides by the size of an empty parameter",
    kind="deviation",
    expected="nothing: the other optimizers step over an empty parameter",
    executed="`RMS(w) = ‖w‖₂/√n` with `n = 0`: `ZeroDivisionError`, and parameters after it are not updated",
    reproduce=reproduce,
)
