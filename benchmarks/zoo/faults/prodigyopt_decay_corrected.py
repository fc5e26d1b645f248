"""prodigyopt: use_bias_correction corrects the decoupled decay, too: ηλ·√(1 − β₂ᵗ)/(1 − β₁ᵗ) in place of ηλ."""

from __future__ import annotations

import torch
from prodigyopt import Prodigy


def after_a_step(weight_decay: float) -> float:
    w = torch.ones(1, dtype=torch.float64, requires_grad=True)
    w.grad = torch.ones_like(w)
    fixed = {"d0": 1.0, "growth_rate": 1.0}  # d stays 1
    Prodigy([w], lr=0.01, weight_decay=weight_decay, use_bias_correction=True, **fixed).step()
    return w.item()


share = after_a_step(0.0) - after_a_step(0.1)
print(f"w = 1, ηλ = 0.001, d = 1: the first step decays w by {share:.7f}; AdamW by 0.001")
raise SystemExit(0 if abs(share - 0.001) > 1e-5 else 1)
