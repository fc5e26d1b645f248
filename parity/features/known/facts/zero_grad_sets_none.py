"""`zero_grad()` sets `.grad` to None, not to zero."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    unmoved: dict[bool, bool] = {}
    for none in (True, False):
        w = torch.ones(1, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.5, weight_decay=0.5)
        w.sum().backward()
        optimizer.zero_grad() if none else optimizer.zero_grad(set_to_none=False)
        optimizer.step()
        unmoved[none] = w.item() == 1
    print(f"weight left alone by a step after zero_grad(set_to_none=True, the default) and False: {unmoved}")
    return unmoved[True] and not unmoved[False]


FACT = Fact(
    id="zero-grad-sets-none",
    title="`zero_grad()` sets `.grad` to None, not to zero",
    kind="surprise",
    expected="`g ← 0`, as the name says",
    executed=(
        "`.grad` is None since torch 2.0: parameters that the next loss does not reach are passed over; "
        "`set_to_none=False` zeroes, and then momentum and decay move them"
    ),
    reproduce=reproduce,
)
