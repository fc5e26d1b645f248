"""What an optimizer class is fed with, and what it made of it: plain arrays, of which every question is asked later.

A feed is initial weights and a gradient for each step. All feeds of a check start from the same drawn numbers, and each
differs from another in one thing only::

    drawn           the hyper-parameters as asked, gradients of many sizes and of either sign
    still           the same, gradients of zero: what moves the weights is not the gradient
    plain           no decay (λ = 0)                  2η: at twice the rate
    decay           λ, beside plain                   2η, 2λ: how the decay scales
    coupled         λ = 0, and the gradient g + λw    2λ: what coupled decay is, by definition
    impulse         plain, gradients of zero after the first: what is remembered
    gradients ·c    plain, weights ·c, one element    of what the step depends
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refimpl.types import Array

SHAPES: Mapping[str, tuple[int, ...]] = {"weight": (3, 11), "vector": (33,), "bias": (1,)}
"""A matrix, a row that no block of a kernel divides, and a parameter of one element."""
STEPS, FEW = 24, 8
USUAL_DECAY = 0.1
"""λ, where the check has to choose one."""
SCALE = 1024.0
"""A power of two, so that scaling rounds nothing."""


@dataclass(frozen=True, kw_only=True)
class Feed:
    """``weights`` and ``gradients`` ``(K, …)`` by name; ``hyper``: beside what was asked; ``coupled``: λ of g + λw."""

    weights: Mapping[str, Array]
    gradients: Mapping[str, Array]
    hyper: Mapping[str, Any] = field(default_factory=dict)
    coupled: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a feed led to, exact: ``weights`` ``(K + 1, …)``, and ``gradients`` ``(K, …)`` as they were given."""

    weights: Mapping[str, Array]
    gradients: Mapping[str, Array]

    def moves(self, name: str) -> Array:
        """Δw_k ``(K, …)``."""
        moved: Array = np.diff(self.weights[name], axis=0)
        return moved


def drawn(shapes: Mapping[str, tuple[int, ...]], steps: int = STEPS, seed: int = 0) -> Feed:
    """Normal weights; gradients over three decades."""
    rng = np.random.default_rng(seed)
    weights = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    sizes = {name: 10.0 ** rng.uniform(-2, 1, (steps, *shape)) for name, shape in shapes.items()}
    return Feed(weights=weights, gradients={n: rng.standard_normal(size.shape) * size for n, size in sizes.items()})


def feeds(shapes: Mapping[str, tuple[int, ...]], given: Mapping[str, Any]) -> Iterator[tuple[str, Feed]]:
    """Every feed by name. ``given``: the hyper-parameters in effect; scaled are those that are numbers."""
    start = drawn(shapes)
    few = {name: gradient[:FEW] for name, gradient in start.gradients.items()}
    zero = {name: 0 * gradient for name, gradient in few.items()}
    impulse = {name: np.concatenate([gradient[:1], zero[name][1:]]) for name, gradient in few.items()}
    scaled = {name: SCALE * gradient for name, gradient in few.items()}
    heavier = {name: SCALE * weight for name, weight in start.weights.items()}
    lr, lam = rate_of(given), decay_of(given)
    none: dict[str, Any] = {} if lam is None else {"weight_decay": 0.0}

    def feed(gradients: Mapping[str, Array], weights: Mapping[str, Array] = start.weights, **hyper: Any) -> Feed:
        return Feed(weights=weights, gradients=gradients, hyper={**none, **hyper})

    yield "drawn", start
    yield "still", Feed(weights=start.weights, gradients=zero)
    yield "plain", feed(few)
    yield "plain still", feed(zero)
    yield "impulse", feed(impulse)
    yield "gradients", feed(scaled)
    yield "weights", feed(few, heavier)
    yield "one element", feed(_with_other_element(few))
    if lr is not None:
        yield "plain 2η", feed(few, lr=2 * lr)
        yield "plain still 2η", feed(zero, lr=2 * lr)
    if lam is not None:
        yield "decay", feed(few, weight_decay=lam)
        yield "decay 2λ", feed(few, weight_decay=2 * lam)
        yield "coupled", Feed(weights=start.weights, gradients=few, hyper=none, coupled=lam)
        yield "coupled 2λ", Feed(weights=start.weights, gradients=few, hyper=none, coupled=2 * lam)
        if lr is not None:
            yield "decay 2η", feed(few, lr=2 * lr, weight_decay=lam)


def rate_of(given: Mapping[str, Any]) -> float | None:
    """η, where the class has one."""
    lr = given.get("lr")
    return float(lr) if isinstance(lr, int | float) and not isinstance(lr, bool) and lr else None


def decay_of(given: Mapping[str, Any]) -> float | None:
    """λ as asked, or a usual one where it is off; None where the class has none."""
    lam = given.get("weight_decay")
    if not isinstance(lam, int | float) or isinstance(lam, bool):
        return None
    return float(lam) or USUAL_DECAY


def _with_other_element(gradients: Mapping[str, Array]) -> dict[str, Array]:
    """The first element of the first parameter has another gradient."""
    first = next(iter(gradients))
    changed = gradients[first].copy()
    changed.reshape(len(changed), -1)[:, 0] *= -3
    return {**gradients, first: changed}
