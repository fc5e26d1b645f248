"""Adagrad squares sparse complex gradients as complex numbers."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    sums = {}
    for sparse in (False, True):
        w = torch.zeros(1, 1, dtype=torch.complex64, requires_grad=True)
        g = torch.tensor([[1 + 2j]])
        indices = torch.zeros(1, 1, dtype=torch.long)
        w.grad = torch.sparse_coo_tensor(indices, g, g.shape, check_invariants=True) if sparse else g
        optimizer = torch.optim.Adagrad([w], lr=0.1)
        with torch.sparse.check_sparse_tensor_invariants(enable=True):
            optimizer.step()
        sums["sparse" if sparse else "dense"] = optimizer.state[w]["sum"].item()
    print(f"sum after the gradient 1 + 2j: {sums}")
    return sums["dense"] == 1 + 4j and sums["sparse"] == (1 + 2j) ** 2


FACT = Fact(
    id="adagrad-sparse-complex",
    title="Adagrad squares sparse complex gradients as complex numbers",
    kind="deviation",
    expected="real and imaginary part each on their own, as for a dense gradient: `s ← s + (Re g)² + (Im g)²·i`",
    executed="`s ← s + g²`, a complex number whose root the step is divided by: another size and another direction",
    reproduce=reproduce,
)
