"""Equal weights with equal gradients end in different numbers, by their position in the tensor."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(67, requires_grad=True)  # the last three fill no vector
    optimizer = torch.optim.Adam([w], lr=0.1, fused=True)
    for _ in range(20):
        w.grad = torch.full_like(w, 0.3)
        optimizer.step()
    values = sorted(set(w.tolist()))
    print(f"67 equal weights after 20 equal steps of fused Adam: {values}")
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return None  # which instructions fuse depends on the processor
    return len(values) > 1


FACT = Fact(
    id="position-changes-rounding",
    title="Equal weights with equal gradients end in different numbers, by their position in the tensor",
    kind="surprise",
    expected="the same update for the same numbers",
    executed=(
        "complete SIMD vectors and the remainder are computed by different instructions (one fuses multiply "
        "and add, the other does not) and differ in the last bits"
    ),
    reproduce=reproduce,
)
