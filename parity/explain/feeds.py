"""What an optimizer class is fed with, and what it made of it: plain arrays, of which every question is asked later.

A feed is initial weights and a gradient for each step. The first one is what a class is judged by; it has all that
optimizers get wrong: gradients of many sizes and of either sign, a learning rate that a schedule changes, two
parameters of one shape, and a parameter whose first gradient comes late. The others start from the same numbers and
differ in one thing only, so that what a step depends on can be said where no reference is like it::

    drawn        the hyper-parameters as asked      decayed    the same with weight decay, where it was off
    plain        no decay, one learning rate        2η         the same at twice the rate
    impulse      plain, gradients of zero after the first
    gradients    plain, times c                     one element    plain, another gradient of it
    weights      plain, times c                     other weights  plain, c times newly drawn ones
    decay        plain with a decay, also with the weights times c and with other ones
    downhill     as drawn, but for gradients that lead the same way for long, so that an estimated distance grows
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from parity.judge.stages import Product
from refimpl.types import Array

SHAPES: Mapping[str, tuple[int, ...]] = {"weight": (3, 11), "vector": (33,), "bias": (1,)}
"""A matrix, a row that no block of a kernel divides, and a parameter of one element."""
STEPS, FEW = 24, 8
LATE = 5
"""Steps that are made before the first gradient of the late parameter."""
FACTORS = (1.0, 0.5, 2.0, 0.25)
"""Times the rate asked for, in each quarter of the run: powers of two, which round nothing."""
USUAL_DECAY = 0.1
"""λ, where the check has to choose one."""
DRAWN = 1 / 16
"""Of gradients that lead downhill, the share that is drawn."""
SCALE = 1024.0
"""A power of two, so that scaling rounds nothing."""


@dataclass(frozen=True, kw_only=True)
class Feed:
    """``weights`` and ``gradients`` ``(K, …)`` by name; ``hyper``: beside what was asked; ``factor`` ``(K,)``: times
    the rate; ``late``: steps before the first gradient of a parameter."""

    weights: Mapping[str, Array]
    gradients: Mapping[str, Array]
    hyper: Mapping[str, Any] = field(default_factory=dict)
    factor: tuple[float, ...] = ()
    late: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a feed led to, exact: ``weights`` ``(K + 1, …)``, and ``gradients`` ``(K, …)`` as they were given.

    ``factor``: of the rate in each step, where there was one to be changed. ``late``: as in the feed. ``state``: of
    each parameter, the tensors that the optimizer kept after each step, ``(K, …)`` by key; NaN before they were there.
    ``elsewhere``: of each parameter and step, where a closure was last called at other weights than those that the step
    began with: how far away, and the gradient there. ``changes``: of each parameter and step, the hyper-parameters that
    were others than at the start. ``slack``: as of a :class:`~parity.explain.motion.Motion`.
    ``numbers``: of each parameter and step, the number of the call of ``step()`` in which it was made.
    ``products``: of each call, the products of matrices that were made in it; none where they were not recorded.
    ``kept``: numbers of the first group after each call, ``(K,)`` by key.
    """

    weights: Mapping[str, Array]
    gradients: Mapping[str, Array]
    factor: tuple[float, ...] = ()
    late: Mapping[str, int] = field(default_factory=dict)
    state: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    elsewhere: Mapping[str, tuple[tuple[Array, Array] | None, ...]] = field(default_factory=dict)
    changes: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    slack: Mapping[str, Array] = field(default_factory=dict)
    numbers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    products: tuple[tuple[Product, ...], ...] = ()
    kept: Mapping[str, Array] = field(default_factory=dict)

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


def judged(shapes: Mapping[str, tuple[int, ...]], *, late: int = LATE, **hyper: Any) -> Feed:
    """What a class is judged by: a twin of the weight, a parameter whose first gradient comes ``late``, and a rate that
    changes."""
    start = drawn({**shapes, "twin": shapes["weight"], "late": (2, 5)})
    factor = tuple(FACTORS[k * len(FACTORS) // STEPS] for k in range(STEPS))
    return Feed(weights=start.weights, gradients=start.gradients, hyper=hyper, factor=factor, late={"late": late})


def downhill(shapes: Mapping[str, tuple[int, ...]], *, late: int = LATE) -> Feed:
    """As what a class is judged by; the gradients are the weights at the start, and a little that is drawn."""
    feed = judged(shapes, late=late)
    gradients = {n: feed.weights[n] + DRAWN * gradient for n, gradient in feed.gradients.items()}
    return replace(feed, gradients=gradients)


def feeds(
    shapes: Mapping[str, tuple[int, ...]], given: Mapping[str, Any], late: int = LATE
) -> Iterator[tuple[str, Feed]]:
    """Every feed by name. ``given``: the hyper-parameters in effect; scaled are those that are numbers."""
    start = drawn(shapes, steps=FEW)
    few = start.gradients
    impulse = {name: np.concatenate([gradient[:1], 0 * gradient[1:]]) for name, gradient in few.items()}
    scaled = {name: SCALE * gradient for name, gradient in few.items()}
    heavier = {name: SCALE * weight for name, weight in start.weights.items()}
    lr, lam = rate_of(given), decay_of(given)
    other = {name: SCALE * weight for name, weight in drawn(shapes, steps=FEW, seed=2).weights.items()}
    none: dict[str, Any] = {} if lam is None else {"weight_decay": 0.0}

    def feed(gradients: Mapping[str, Array], weights: Mapping[str, Array] = start.weights, **hyper: Any) -> Feed:
        return Feed(weights=weights, gradients=gradients, hyper={**none, **hyper})

    yield "drawn", judged(shapes, late=late)
    if lam is not None and not given["weight_decay"]:
        yield "decayed", judged(shapes, late=late, weight_decay=lam)
    yield "plain", feed(few)
    yield "impulse", feed(impulse)
    yield "gradients", feed(scaled)
    yield "weights", feed(few, heavier)
    yield "other weights", feed(few, other)
    if lam is not None:
        yield "decay", feed(few, weight_decay=lam)
        yield "decay, weights", feed(few, heavier, weight_decay=lam)
        yield "decay, other weights", feed(few, other, weight_decay=lam)
    yield "one element", feed(_with_other_element(few))
    yield "downhill", downhill(shapes, late=late)
    if lr is not None:
        yield "plain 2η", feed(few, lr=2 * lr)


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
