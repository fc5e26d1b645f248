"""Muon orthogonalises in bfloat16, for float64 weights too, and not to orthogonality."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.zeros(4, 4, dtype=torch.float64, requires_grad=True)
    w.grad = torch.diag(torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64))
    torch.optim.Muon([w], lr=1, weight_decay=0).step()
    values = torch.linalg.svdvals(w.detach())
    print(f"singular values of an update of float64 weights: {values.tolist()}, all of them bfloat16 numbers")
    return torch.equal(w, w.bfloat16().double()) and bool((values - 1).abs().max() > 0.01)


FACT = Fact(
    id="muon-computes-in-bfloat16",
    title="Muon orthogonalises in bfloat16, for float64 weights too, and not to orthogonality",
    kind="surprise",
    expected="`UVᵀ` of the gradient's singular value decomposition, to the precision of the weights",
    executed=(
        "five Newton–Schulz steps in bfloat16 whose coefficients leave singular values between about 0.7 and 1.2"
    ),
    link="https://github.com/pytorch/pytorch/pull/160213",
    reproduce=reproduce,
)
