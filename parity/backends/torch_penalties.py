"""The penalties in torch: their values, of which autograd takes the gradient, and their gradients by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from parity.backends.options import strengths
from refimpl.penalties import Norm, SubtractedL1
from refimpl.types import Penalty


def penalty_value(penalty: Penalty, w: Tensor) -> Tensor:
    """``λ₁‖w‖₁ + λ₂/2‖w‖²``, ``λ‖w‖₂`` or ``−λ‖w‖₁`` as one writes it in torch."""
    match penalty:
        case Norm(strength=strength):
            length: Tensor = torch.linalg.vector_norm(w)
            return float(strength) * length
        case SubtractedL1(strength=strength):
            return -float(strength) * w.abs().sum()
    l1, l2 = strengths(penalty)
    terms = [l1 * w.abs().sum()] if l1 else []
    terms += [l2 / 2 * (w * w).sum()] if l2 else []
    return sum(terms, torch.zeros((), dtype=w.dtype, device=w.device)) if len(terms) != 1 else terms[0]


def penalty_gradient(penalty: Penalty, w: Tensor) -> Tensor:
    """``λ₁ sign(w) + λ₂w``, ``λw/‖w‖`` or ``−λ sign(w)``."""
    match penalty:
        case Norm(strength=strength):
            return float(strength) * torch.where(w == 0, 0, w / torch.linalg.vector_norm(w))
        case SubtractedL1(strength=strength):
            return -float(strength) * torch.sign(w)
    l1, l2 = strengths(penalty)
    if not l1:
        return l2 * w
    return l1 * torch.sign(w) + l2 * w if l2 else l1 * torch.sign(w)
