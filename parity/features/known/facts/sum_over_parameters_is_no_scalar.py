"""Python's sum over parameters adds tensors: no scalar, or an error where their shapes do not fit."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    messages = []
    for weight, bias in (((1, 2), (1,)), ((4, 3), (4,))):  # of Linear(2, 1) and of Linear(3, 4)
        parameters = [torch.ones(shape, requires_grad=True) for shape in (weight, bias)]
        try:
            sum(p**2 for p in parameters).backward()  # type: ignore[union-attr]
        except RuntimeError as error:
            messages.append(str(error).splitlines()[0].split(" at non-singleton")[0])
    print(f"sum(p ** 2 for p in parameters) of Linear(2, 1) and Linear(3, 4): RuntimeError, {'; '.join(messages)}")
    return len(messages) == 2


FACT = Fact(
    id="sum-over-parameters-is-no-scalar",
    title="Python's sum over parameters adds tensors: no scalar, or an error where their shapes do not fit",
    kind="surprise",
    expected="`sum(p ** 2 for p in net.parameters())` is `Σp²`, one number",
    executed="`weight² + bias²` with broadcasting: of `Linear(2, 1)` a (1, 2) tensor, which has no `backward()`; "
    "of `Linear(3, 4)` the shapes (4, 3) and (4,) do not fit; write `sum((p ** 2).sum() for p in net.parameters())`",
    reproduce=reproduce,
)
