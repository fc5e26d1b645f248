"""A decay below half a unit in the last place does nothing, however long one trains."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    weights = {}
    for dtype, decay in ((torch.bfloat16, 1e-2), (torch.float16, 1e-2), (torch.float32, 1e-6)):
        w = torch.ones(1, dtype=dtype, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=1e-2, weight_decay=decay)
        for _ in range(100):
            w.grad = torch.zeros_like(w)
            optimizer.step()
        weights[dtype] = w.item()
    print(f"weight 1 with gradient 0 and lr = 0.01 after 100 steps of decay: {weights}")
    return set(weights.values()) == {1}


FACT = Fact(
    id="decay-below-half-ulp",
    title="A decay below half a unit in the last place does nothing, however long one trains",
    kind="surprise",
    expected="`wₖ = (1 − ηλ)ᵏ·w₀`",
    executed=(
        "`w − ηλw` rounds back to `w` where `ηλ` is below 2⁻⁹ in bfloat16, 2⁻¹² in float16 and 2⁻²⁵ in "
        "float32 (at a power of two; up to twice that elsewhere)"
    ),
    reproduce=reproduce,
)
