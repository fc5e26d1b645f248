"""NAdam's product of μ and ASGD's η are float32, for float64 weights too."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    w.grad = torch.ones_like(w)
    nadam, asgd = torch.optim.NAdam([w]), torch.optim.ASGD([w], lr=0.1)
    nadam.step()
    w.data.zero_()
    asgd.step()
    types = {nadam.state[w]["mu_product"].dtype, asgd.state[w]["eta"].dtype, asgd.state[w]["mu"].dtype}
    print(f"state of float64 weights: {types}; one step of ASGD with lr = 0.1 and gradient 1 is {-w.item():.12f}")
    return types == {torch.float32} and w.item() != -0.1


FACT = Fact(
    id="scalar-state-is-float32",
    title="NAdam's product of μ and ASGD's η are float32, for float64 weights too",
    kind="surprise",
    expected="scalars of the update in float64, as `lr` and `betas` are",
    executed=(
        "`mu_product`, `eta` and `mu` are float32 tensors: float64 training has float32's relative error 6e-8"
        " in its steps"
    ),
    reproduce=reproduce,
)
