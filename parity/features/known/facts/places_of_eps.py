"""ε stands outside the root, inside it, or before the bias correction, by optimizer."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    moved = {}
    for name, (option, value) in {
        "Adam": ("betas", (0.5, 0.75)),
        "RMSprop": ("alpha", 0),
        "Adagrad": ("lr_decay", 0),
        "Adadelta": ("rho", 0),
        "SparseAdam": ("betas", (0.5, 0.75)),
    }.items():
        w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        w.grad = torch.ones_like(w).to_sparse() if name == "SparseAdam" else torch.ones_like(w)
        getattr(torch.optim, name)([w], lr=1, eps=3, **{option: value}).step()
        moved[name] = round(-w.item(), 4)
    print(f"length of the first step with g = 1, lr = 1, eps = 3: {moved}")
    outside = all(moved[name] == 0.25 for name in ("Adam", "RMSprop", "Adagrad"))
    return outside and moved["Adadelta"] == round(3**0.5 / 2, 4) and moved["SparseAdam"] == round(0.5 / 3.5, 4)


FACT = Fact(
    id="places-of-eps",
    title="ε stands outside the root, inside it, or before the bias correction, by optimizer",
    kind="surprise",
    expected="one place, so that ε can be carried over from one optimizer to another",
    executed=(
        "outside: `g/(√v̂ + ε)` in Adam, NAdam, RMSprop, Adagrad; inside: `√(Δ + ε)/√(v + ε)·g` in Adadelta; "
        "before the bias correction: `√c₂·m̂/(√v + ε)` with `c₂ = 1 − β₂ᵏ` in SparseAdam and RAdam; inside "
        "the maximum: `max(β₂u, |g| + ε)` in Adamax"
    ),
    link="https://github.com/pytorch/pytorch/pull/26735",
    reproduce=reproduce,
)
