"""By default the CPU runs the for-loop, CUDA foreach: a test on the CPU does not run what CUDA runs."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    from unittest.mock import patch

    import torch

    calls = {}
    for foreach in (None, True):
        w = torch.ones(1, requires_grad=True)
        w.grad = torch.ones(1)
        with patch("torch._foreach_lerp_", wraps=torch._foreach_lerp_) as lerp:
            torch.optim.Adam([w], foreach=foreach).step()
        calls[foreach] = lerp.call_count
    print(f"calls of torch._foreach_lerp_ in one step of Adam on the CPU, by foreach=: {calls}")
    return calls == {None: 0, True: 1}


FACT = Fact(
    id="for-loop-is-default-on-cpu",
    title="By default the CPU runs the for-loop, CUDA foreach: a test on the CPU does not run what CUDA runs",
    kind="surprise",
    expected="one implementation, on all devices",
    executed="`foreach=None` means foreach where all parameters are on CUDA (and the like), the for-loop elsewhere",
    reproduce=reproduce,
)
