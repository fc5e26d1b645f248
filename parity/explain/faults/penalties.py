"""Penalties that people write where they mean another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.explain.faults.twists import beside
from refimpl.ranges import Finite, check_fields
from refimpl.reductions import norm, total
from refimpl.types import Array, Number

Of = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True)
class Shaped:
    """``strength·f(w)``, with ``of`` f and ``slope`` its gradient: faulty code takes no proximal step of it."""

    strength: Finite
    of: Of
    slope: Of
    parameters: tuple[str, ...] = ("weight",)

    def __post_init__(self) -> None:
        check_fields(self)

    def value(self, w: Array) -> Array:
        value: Array = self.strength * self.of(w)
        return value

    def subgradient(self, w: Array) -> Array:
        subgradient: Array = self.strength * self.slope(w)
        return subgradient

    def prox(self, w: Array, step: Number) -> Array:
        raise NotImplementedError("faulty code takes gradients of it")

    def distance(self, w: Array, gradient: Array) -> Array:
        distance: Array = np.abs(gradient + self.subgradient(w))
        return distance


Parameters = tuple[str, ...]


def unsquared(*, strength: Finite, parameters: Parameters = ("weight",)) -> Shaped:
    """‖w‖₂ itself: its gradient w/‖w‖ does not fade where w is small."""
    return Shaped(strength=strength, of=norm, slope=lambda w: w / beside(w, norm(w)), parameters=parameters)


def plain_sum(*, strength: Finite, parameters: Parameters = ("weight",)) -> Shaped:
    """Σwᵢ, the sum of the weights themselves: a constant gradient, whatever w."""
    return Shaped(strength=strength, of=total, slope=lambda w: 1 + 0 * w, parameters=parameters)


def absolute_sum(strength: Finite) -> Shaped:
    """|Σwᵢ|: every element has the gradient sign(Σwᵢ)."""
    return Shaped(
        strength=strength, of=lambda w: np.abs(total(w)), slope=lambda w: beside(w, np.sign(total(w))) * (1 + 0 * w)
    )


def largest(strength: Finite) -> Shaped:
    """maxᵢ|wᵢ|: only the weight of the largest size has a gradient, its sign."""
    return Shaped(
        strength=strength,
        of=lambda w: total(np.abs(w) * _is_largest(w)),
        slope=lambda w: np.sign(w) * _is_largest(w),
    )


def _is_largest(w: Any) -> Array:
    """1 where |w| is the largest of its run, else 0; of several the first."""
    size = np.abs(np.asarray(getattr(w, "value", w), float)).reshape(len(w), -1)
    place: Array = (np.arange(size.shape[1]) == np.argmax(size, axis=1)[:, None]).astype(float)
    return place.reshape(w.shape)


def centred(strength: Finite, centre: Array) -> Shaped:
    """½‖w − centre‖²: it pulls towards ``centre`` ``(1, …)``, not towards 0."""
    return Shaped(strength=strength, of=lambda w: 0.5 * total((w - centre) * (w - centre)), slope=lambda w: w - centre)


def power(strength: Finite, p: float) -> Shaped:
    """Σ|wᵢ|^(p+1)/(p + 1): the gradient |w|^p·sign w."""
    return Shaped(
        strength=strength,
        of=lambda w: total(np.abs(w) ** (p + 1)) / (p + 1),
        slope=lambda w: np.abs(w) ** p * np.sign(w),
    )


def smoothed(strength: Finite, eps: float) -> Shaped:
    """Σ√(wᵢ² + ε), which is |w| without its corner."""
    return Shaped(strength=strength, of=lambda w: total(np.sqrt(w * w + eps)), slope=lambda w: w / np.sqrt(w * w + eps))


@dataclass(frozen=True, kw_only=True)
class Hard:
    """A proximal step that sets weights of up to ``step·strength`` to 0 and leaves the others as they are."""

    strength: Finite
    parameters: tuple[str, ...] = ("weight",)

    def prox(self, w: Array, step: Number) -> Array:
        kept: Array = np.where(np.abs(w) > step * self.strength, w, 0 * w)
        return kept
