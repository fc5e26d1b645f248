"""Adam treats a complex number as two real ones."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.zeros(1, dtype=torch.complex128, requires_grad=True)
    w.grad = torch.full_like(w, 3 + 4j)
    torch.optim.Adam([w], lr=1, eps=0).step()
    step = -w.item()
    print(f"first step with gradient 3 + 4i: {step.real:.3f} + {step.imag:.3f}i, not 0.6 + 0.8i")
    return abs(step - (1 + 1j)) < 1e-12


FACT = Fact(
    id="adam-complex-as-two-reals",
    title="Adam treats a complex number as two real ones",
    kind="surprise",
    expected="`v ← β₂v + (1 − β₂)|g|²`: the step has the direction of g",
    executed="`(Re g)²` and `(Im g)²` each have their own v: the first step is `η(sign Re g + i·sign Im g)`",
    link="https://github.com/pytorch/pytorch/issues/59998",
    reproduce=reproduce,
)
