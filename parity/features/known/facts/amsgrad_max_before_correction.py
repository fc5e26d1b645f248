"""AMSGrad takes the maximum before the bias correction."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=1, betas=(0.0, 0.5), eps=0, amsgrad=True)
    w.grad = torch.full_like(w, 2)  # v = 2, corrected 4
    optimizer.step()
    before = w.item()
    w.grad = torch.full_like(w, 1)  # v = 1.5, corrected 2
    optimizer.step()
    used = (1 / (before - w.item())) ** 2
    print(f"second moment in the second step: {used:.4f} = max(2, 1.5)/0.75, not max(4, 2)")
    return abs(used - 2 / 0.75) < 1e-12


FACT = Fact(
    id="amsgrad-max-before-correction",
    title="AMSGrad takes the maximum before the bias correction",
    kind="surprise",
    expected="`v̂max ← max(v̂max, v/(1 − β₂ᵏ))`, as torch's documentation had it until 2.5 and optax has it",
    executed="`vmax ← max(vmax, v)`, then `vmax/(1 − β₂ᵏ)`: the first steps are longer",
    link="https://github.com/pytorch/pytorch/issues/142323",
    reproduce=reproduce,
)
