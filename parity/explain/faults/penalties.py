"""Penalties that people write where they mean another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refimpl.reductions import norm, total
from refimpl.types import Array, Finite, Number, check_fields


@dataclass(frozen=True, kw_only=True)
class Faulty:
    """Faulty code takes the gradient of a penalty, and nothing else."""

    strength: Finite
    parameters: tuple[str, ...] = ("weight",)

    def __post_init__(self) -> None:
        check_fields(self)

    def prox(self, w: Array, step: Number) -> Array:
        raise NotImplementedError

    def distance(self, w: Array, gradient: Array) -> Array:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Unsquared(Faulty):
    """``strength·‖w‖₂``, the norm itself: its gradient ``strength·w/‖w‖`` does not fade where w is small."""

    def value(self, w: Array) -> Array:
        return self.strength * norm(w)

    def subgradient(self, w: Array) -> Array:
        length = norm(w).reshape(-1, *(1,) * (w.ndim - 1))
        return self.strength * (w / length)


@dataclass(frozen=True, kw_only=True)
class PlainSum(Faulty):
    """``strength·Σwᵢ``, the sum of the weights themselves: the constant gradient ``strength``, whatever w."""

    def value(self, w: Array) -> Array:
        return self.strength * total(w)

    def subgradient(self, w: Array) -> Array:
        return self.strength * (1 + 0 * w)


@dataclass(frozen=True, kw_only=True)
class Centred(Faulty):
    """``strength/2·‖w − centre‖²``: it pulls towards ``centre`` ``(1, …)``, not towards 0."""

    centre: Any

    def value(self, w: Array) -> Array:
        away = w - self.centre
        value: Array = self.strength / 2 * total(away * away)
        return value

    def subgradient(self, w: Array) -> Array:
        pull: Array = self.strength * (w - self.centre)
        return pull
