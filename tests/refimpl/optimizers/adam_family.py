"""Hyper-parameters of Adam and its kin, and runs of their references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from refimpl.optimizers import Adam, Adamax, AdamW, NAdam, RAdam, SparseAdam
from refimpl.types import State

Array = npt.NDArray[Any]

ANY: list[dict[str, Any]] = [
    {},
    {"lr": 0.03, "betas": (0.7, 0.9), "eps": 1e-3},
    {"lr": 0.03, "weight_decay": 0.3},
    {"lr": 0.03, "weight_decay": 0.3, "maximize": True},
]
AMSGRAD: list[dict[str, Any]] = [
    {"lr": 0.03, "amsgrad": True, "betas": (0.7, 0.6)},
    {"lr": 0.03, "amsgrad": True, "weight_decay": 0.3, "eps": 1e-3, "maximize": True},
]
DECOUPLED: dict[str, Any] = {"lr": 0.03, "weight_decay": 0.3, "decoupled_weight_decay": True}
OPTIONS: Mapping[Any, list[dict[str, Any]]] = {
    Adam: [*ANY, *AMSGRAD, DECOUPLED],
    AdamW: [*ANY, *AMSGRAD, {"lr": 0.03, "weight_decay": 0}],
    NAdam: [*ANY, DECOUPLED, {"lr": 0.03, "momentum_decay": 0.3}, {"momentum_decay": 0}],
    RAdam: [*ANY, DECOUPLED, {"lr": 0.03, "betas": (0.7, 0.8)}, {"lr": 0.03, "betas": (0.7, 0.6)}],
    Adamax: ANY,
    SparseAdam: [ANY[0], ANY[1], {"lr": 0.03, "maximize": True}],
}


def name_of(value: Any) -> str:
    value = type(value) if is_dataclass(value) and not isinstance(value, type) else value
    return value.__name__ if isinstance(value, type) else str(value)


def run(optimizer: Any, gradients: Array, start: Any = 1.0) -> list[tuple[Array, State]]:
    """(param, state) after each step."""
    param, state, found = np.full(gradients.shape[1:], start), {}, []
    for gradient in gradients:
        param, state = optimizer.step(param, gradient, state)
        found.append((param, state))
    return found


GRADIENTS = np.random.default_rng(1).standard_normal((20, 1, 4))


def same(first: list[tuple[Array, State]], second: list[tuple[Array, State]]) -> bool:
    return all(
        np.array_equal(param, other) and all(np.array_equal(state[key], others[key]) for key in {**state, **others})
        for (param, state), (other, others) in zip(first, second, strict=True)
    )
