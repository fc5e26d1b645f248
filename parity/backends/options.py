"""Optimizers and penalties as plain Python numbers under the names that frameworks use."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from parity.errors import Unsupported
from refimpl.penalties import L1, L2, ElasticNet
from refimpl.training import hyper_parameters
from refimpl.types import Optimizer, Penalty


def options_of(optimizer: Optimizer) -> dict[str, Any]:
    """An optimizer's options, with the strengths of a proximal step's penalty."""
    options: dict[str, Any] = dict(hyper_parameters(optimizer))
    if optimizer.decay == "proximal":
        options["l1"], options["l2"] = strengths(optimizer.penalty)  # type: ignore[attr-defined]
    settings = {field.name for field in fields(optimizer)} - {"penalty"}  # type: ignore[arg-type]  # a dataclass
    return options | {name: getattr(optimizer, name) for name in settings}


def strengths(penalty: Penalty | None) -> tuple[float, float]:
    """(λ₁, λ₂) of ``λ₁‖w‖₁ + λ₂/2‖w‖²``."""
    match penalty:
        case None:
            return 0.0, 0.0
        case L1(strength=l1):
            return float(l1), 0.0
        case L2(strength=l2):
            return 0.0, float(l2)
        case ElasticNet(l1=l1, l2=l2):
            return float(l1), float(l2)
    raise Unsupported(f"there are no l1 and l2 strengths of {type(penalty).__name__}")
