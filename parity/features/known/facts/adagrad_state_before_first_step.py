"""Adagrad has state before its first step."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, requires_grad=True)
    states = {name: len(getattr(torch.optim, name)([w]).state) for name in ("SGD", "Adam", "RMSprop", "Adagrad")}
    print(f"parameters with state before the first step: {states}")
    return states == {"SGD": 0, "Adam": 0, "RMSprop": 0, "Adagrad": 1}


FACT = Fact(
    id="adagrad-state-before-first-step",
    title="Adagrad has state before its first step",
    kind="surprise",
    expected="state is made by the first step, as in the other optimizers",
    executed=(
        "`sum` is filled with `initial_accumulator_value` by the constructor, in the dtype and on the device "
        "that the parameter has then"
    ),
    reproduce=reproduce,
)
