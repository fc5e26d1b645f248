"""`load_state_dict` casts the state to the dtype of the parameters."""

from __future__ import annotations

from parity.features.known.fact import Fact


def reproduce() -> bool | None:
    import torch

    w = torch.ones(1, requires_grad=True)
    w.grad = torch.full_like(w, 0.3)
    saved = torch.optim.Adam([w])
    saved.step()
    low = torch.ones(1, dtype=torch.bfloat16, requires_grad=True)
    loaded = torch.optim.Adam([low])
    loaded.load_state_dict(saved.state_dict())
    before, after = saved.state[w]["exp_avg"], loaded.state[low]["exp_avg"]
    print(f"exp_avg {before.item():.7f} ({before.dtype}) is loaded as {after.item():.7f} ({after.dtype})")
    return bool(after.dtype == torch.bfloat16)


FACT = Fact(
    id="load-state-dict-casts",
    title="`load_state_dict` casts the state to the dtype of the parameters",
    kind="surprise",
    expected="the state that was saved is the state that is loaded",
    executed=("float32 moments become bfloat16 beside bfloat16 parameters (and the other way round); `step` is spared"),
    link="https://github.com/pytorch/pytorch/issues/43706",
    reproduce=reproduce,
)
