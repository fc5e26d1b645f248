"""`load_state_dict` replaces the options that the constructor was given."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.5, weight_decay=0.25)
    optimizer.load_state_dict(torch.optim.SGD([w], lr=0.1).state_dict())
    group = optimizer.param_groups[0]
    print(f"lr 0.5 and weight_decay 0.25 after loading a state: {group['lr']} and {group['weight_decay']}")
    return group["lr"] == 0.1 and group["weight_decay"] == 0


FACT = Fact(
    id="load-state-dict-restores-options",
    title="`load_state_dict` replaces the options that the constructor was given",
    kind="surprise",
    expected="`lr` and `weight_decay` as in the script that is run",
    executed="those of the checkpoint, with `foreach`, `fused` and all others of each group",
    link="https://github.com/pytorch/pytorch/issues/32021",
    reproduce=reproduce,
)
