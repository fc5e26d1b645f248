"""Penalties that people write where they mean another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.reductions import norm, total
from refimpl.types import Array, Finite, Number, check_fields


@dataclass(frozen=True, kw_only=True)
class Unsquared:
    """``strength·‖w‖₂``, the norm itself: its gradient ``strength·w/‖w‖`` does not fade where w is small."""

    strength: Finite
    parameters: tuple[str, ...] = ("weight",)

    def __post_init__(self) -> None:
        check_fields(self)

    def value(self, w: Array) -> Array:
        return self.strength * norm(w)

    def subgradient(self, w: Array) -> Array:
        length = norm(w).reshape(-1, *(1,) * (w.ndim - 1))
        return self.strength * (w / length)

    def prox(self, w: Array, step: Number) -> Array:
        raise NotImplementedError("faulty code takes gradients of it")

    def distance(self, w: Array, gradient: Array) -> Array:
        distance: Array = np.abs(gradient + self.subgradient(w))
        return distance


@dataclass(frozen=True, kw_only=True)
class PlainSum:
    """``strength·Σwᵢ``, the sum of the weights themselves: the constant gradient ``strength``, whatever w."""

    strength: Finite
    parameters: tuple[str, ...] = ("weight",)

    def __post_init__(self) -> None:
        check_fields(self)

    def value(self, w: Array) -> Array:
        return self.strength * total(w)

    def subgradient(self, w: Array) -> Array:
        return self.strength * (1 + 0 * w)

    def prox(self, w: Array, step: Number) -> Array:
        return w - step * self.strength

    def distance(self, w: Array, gradient: Array) -> Array:
        distance: Array = np.abs(gradient + self.subgradient(w))
        return distance


@dataclass(frozen=True, kw_only=True)
class Centred:
    """``strength/2·‖w − centre‖²``: it pulls towards ``centre`` ``(1, …)``, not towards 0."""

    strength: Finite
    centre: Any
    parameters: tuple[str, ...] = ("weight",)

    def value(self, w: Array) -> Array:
        away = w - self.centre
        value: Array = self.strength / 2 * total(away * away)
        return value

    def subgradient(self, w: Array) -> Array:
        pull: Array = self.strength * (w - self.centre)
        return pull

    def prox(self, w: Array, step: Number) -> Array:
        raise NotImplementedError("faulty code takes gradients of it")

    def distance(self, w: Array, gradient: Array) -> Array:
        distance: Array = np.abs(gradient + self.subgradient(w))
        return distance


@dataclass(frozen=True, kw_only=True)
class Slope:
    """A penalty of which the gradient matters: faulty code takes no proximal step of it."""

    strength: Finite
    parameters: tuple[str, ...] = ("weight",)

    def __post_init__(self) -> None:
        check_fields(self)

    def prox(self, w: Array, step: Number) -> Array:
        raise NotImplementedError("faulty code takes gradients of it")


@dataclass(frozen=True, kw_only=True)
class Hard:
    """A proximal step that sets weights of up to ``step·strength`` to 0 and leaves the others as they are."""

    strength: Finite
    parameters: tuple[str, ...] = ("weight",)

    def prox(self, w: Array, step: Number) -> Array:
        kept: Array = np.where(np.abs(w) > step * self.strength, w, 0 * w)
        return kept


@dataclass(frozen=True, kw_only=True)
class AbsoluteSum(Slope):
    """``strength·|Σwᵢ|``: every element has the gradient ``strength·sign(Σwᵢ)``."""

    def value(self, w: Array) -> Array:
        return self.strength * np.abs(total(w))

    def subgradient(self, w: Array) -> Array:
        signs: Array = np.sign(total(w)).reshape(-1, *(1,) * (w.ndim - 1))
        push: Array = self.strength * signs * (1 + 0 * w)
        return push


@dataclass(frozen=True, kw_only=True)
class Power(Slope):
    """``strength/(p + 1)·Σ|wᵢ|^(p+1)``: the gradient ``strength·|w|^p·sign w``."""

    power: Finite

    def value(self, w: Array) -> Array:
        return self.strength / (self.power + 1) * total(np.abs(w) ** (self.power + 1))

    def subgradient(self, w: Array) -> Array:
        return self.strength * np.abs(w) ** self.power * np.sign(w)


@dataclass(frozen=True, kw_only=True)
class Smoothed(Slope):
    """``strength·Σ√(wᵢ² + ε)``, which is |w| without its corner."""

    eps: Finite

    def value(self, w: Array) -> Array:
        return self.strength * total(np.sqrt(w * w + self.eps))

    def subgradient(self, w: Array) -> Array:
        return self.strength * w / np.sqrt(w * w + self.eps)
