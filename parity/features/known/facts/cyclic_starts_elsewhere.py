"""A CyclicLR made after another scheduler starts at the optimizer's rate, not at its own."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    rates = {}
    for after_another in (False, True):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
        if after_another:
            torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        torch.optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.01, max_lr=0.05)
        rates["after another" if after_another else "alone"] = optimizer.param_groups[0]["lr"]
    print(f"first rate of CyclicLR(base_lr=0.01): {rates}")
    return rates["alone"] == 0.01 and rates["after another"] == 0.1


FACT = Fact(
    id="cyclic-starts-elsewhere",
    title="A CyclicLR made after another scheduler starts at the optimizer's rate, not at its own",
    kind="deviation",
    expected="`η₀ = base_lr`",
    executed="`η₀ = initial_lr`, which the earlier scheduler stored: the first step is made with that rate",
    reproduce=reproduce,
)
