"""torch.sum takes no generator: a penalty written as Python's sum raises."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    parameters = [torch.ones(1, 2), torch.ones(1)]
    try:
        torch.sum(p for p in parameters)  # type: ignore[call-overload]
    except TypeError as error:
        print(f"torch.sum(p for p in parameters): TypeError, {str(error).splitlines()[0].removesuffix(':')}")
        return True
    print("torch.sum(p for p in parameters) adds them up")
    return False


FACT = Fact(
    id="torch-sum-takes-no-generator",
    title="torch.sum takes no generator: a penalty written as Python's `sum` raises",
    kind="surprise",
    expected="`torch.sum(p for p in net.parameters())` adds them up, as Python's `sum` does",
    executed="`TypeError`: torch.sum takes one tensor; sum each first, `sum((p * p).sum() for p in net.parameters())`",
    reproduce=reproduce,
)
