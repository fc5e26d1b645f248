"""AdamW decays by 0.01 and Muon by 0.1 unless told otherwise."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    weights = {}
    for name in ("SGD", "Adam", "AdamW", "Muon"):
        w = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
        w.grad = torch.zeros_like(w)
        getattr(torch.optim, name)([w], lr=0.5).step()
        weights[name] = w[0, 0].item()
    print(f"weight 1 with gradient 0 after one step with lr = 0.5: {weights}")
    return weights == {"SGD": 1, "Adam": 1, "AdamW": 1 - 0.5 * 0.01, "Muon": 1 - 0.5 * 0.1}


FACT = Fact(
    id="default-decay-of-adamw-and-muon",
    title="AdamW decays by 0.01 and Muon by 0.1 unless told otherwise",
    kind="surprise",
    expected="`weight_decay=0` by default, as in all other optimizers",
    executed="`w ← (1 − ηλ)w` with λ = 0.01 in AdamW and λ = 0.1 in Muon",
    reproduce=reproduce,
)
