"""A 16-bit checkpoint of NAdam or ASGD does not come back as it was saved."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, dtype=torch.bfloat16, requires_grad=True)
    w.grad = torch.ones_like(w)
    saved, loaded = torch.optim.NAdam([w]), torch.optim.NAdam([w])
    saved.step()
    loaded.load_state_dict(saved.state_dict())
    before, after = (optimizer.state[w]["mu_product"] for optimizer in (saved, loaded))
    print(f"mu_product {before.item():.7f} ({before.dtype}) comes back as {after.item():.7f} ({after.dtype})")
    return before.item() != after.item()


FACT = Fact(
    id="checkpoint-rounds-scalars",
    title="A 16-bit checkpoint of NAdam or ASGD does not come back as it was saved",
    kind="deviation",
    expected="the same optimizer with the same parameters goes on as if it had not been saved and loaded",
    executed=(
        "`mu_product` (NAdam), `eta` and `mu` (ASGD), which are float32 numbers, are cast to the parameter's dtype; "
        "only a state that is called `step` is spared. NAdam keeps the rounded product from there on"
    ),
    reproduce=reproduce,
)
