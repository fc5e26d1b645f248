"""Fused optimizers on the CPU ignore strides: they update the wrong elements, also of other tensors."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    wrong = []
    for name in ("SGD", "Adam", "AdamW", "Adagrad"):
        matrix = torch.zeros(2, 4)
        w = torch.nn.Parameter(matrix[:, :2])  # the left half
        w.sum().backward()
        getattr(torch.optim, name)([w], lr=1, fused=True).step()
        if (matrix[:, 2:] != 0).any() or (matrix[1, :2] == 0).any():
            wrong.append(name)
    print(f"right half of the matrix updated instead of the second row of the left half: {wrong}")
    return bool(wrong)


FACT = Fact(
    id="fused-ignores-strides",
    title="Fused optimizers on the CPU ignore strides: they update the wrong elements, also of other tensors",
    kind="deviation",
    expected="`w[i, j] ← w[i, j] − η·g[i, j]`, and nothing outside `w`",
    executed=(
        "the k-th number in the memory from `w`'s first element on is updated with the k-th number in the "
        "memory of `g`: a view's neighbours are overwritten, a transposed `w` is paired with the wrong "
        "elements of `g`, an expanded `g` is read beyond its end, and state loaded from a checkpoint of "
        "another memory format (`channels_last`) is paired wrongly"
    ),
    reproduce=reproduce,
)
