"""Adagrad does not read ``initial_accumulator_value`` of a parameter group."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.Adagrad([{"params": [w], "initial_accumulator_value": 0.5}])
    said, kept = optimizer.param_groups[0]["initial_accumulator_value"], optimizer.state[w]["sum"].item()
    print(f"the group says {said}, the state starts at {kept}")
    return (said, kept) == (0.5, 0.0)


FACT = Fact(
    id="adagrad-accumulator-of-group",
    title="Adagrad does not read initial_accumulator_value of a parameter group",
    kind="deviation",
    expected="an option of a parameter group overrides the optimizer's own, as `lr` and `weight_decay` do",
    executed="`sum` starts at the constructor's value, while the group goes on to name its own, which nothing reads",
    reproduce=reproduce,
)
