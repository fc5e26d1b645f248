"""Steps written by hand, right ones and such with a fault, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from parity.explain.motion import Motion
from parity.explain.update import UpdateExplanation, explain_update
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import SGD, AdamW
from refimpl.types import Array

STEPS = 12
SHAPES = {"weight": (3, 7), "vector": (9,)}
FACTOR = np.repeat([1.0, 0.5, 2.0, 0.25], STEPS // 4)
EPOCHS = np.repeat(np.arange(4), STEPS // 4)
B1, B2, EPS, LAM = 0.9, 0.99, 1e-3, 0.1
State = dict[str, Any]
Step = Callable[[Array, Array, State, float], Array]
"""Weights after a step, of weights, gradient, what is kept (``t`` counts from 1) and the learning rate."""


def recorded(step: Step, dtype: str, factor: Array = FACTOR) -> list[Motion]:
    """What a step makes of drawn gradients."""
    rng = np.random.default_rng(5)
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS[dtype], form=2.0)
    found = []
    for index, (name, shape) in enumerate(SHAPES.items()):
        gradients = (rng.standard_normal((STEPS, *shape)) * 10 ** rng.uniform(-2, 1, (STEPS, *shape))).astype(dtype)
        weights = [rng.standard_normal(shape).astype(dtype)]
        state: State = {"index": index, "start": weights[0]}
        for k in range(STEPS):
            state |= {"t": k + 1, "epoch": int(EPOCHS[k]) + 1}
            with np.errstate(all="ignore"):
                weights.append(step(weights[-1], gradients[k], state, 0.01 * factor[k]).astype(dtype))
        found.append(
            Motion(
                parameter=name,
                weights=np.stack(weights).astype(float),
                gradient=Bounded.tensor(gradients.astype(float), profile),
                format=FORMATS[dtype],
                profile=profile,
                factor=factor,
            )
        )
    return found


def explained(step: Step, asked: Any, dtype: str = "float64") -> UpdateExplanation | None:
    return explain_update(dict.fromkeys(SHAPES, asked), recorded(step, dtype), epochs=EPOCHS)


def averaged(state: State, key: str, new: Any, beta: float) -> Any:
    state[key] = beta * state.get(key, 0) + (1 - beta) * new
    return state[key]


def adam(
    *,
    count: Callable[[State], tuple[int, int]] = lambda s: (s["t"], s["t"]),
    m: Callable[[State, Array], Any] = lambda s, g: averaged(s, "m", g, B1),
    v: Callable[[State, Array, Any], Any] = lambda s, g, m: averaged(s, "v", g * g, B2),
    divisor: Callable[[Any, float], Any] = lambda v, c2: np.sqrt(v / c2) + EPS,
    direction: Callable[[Any, Array, Array], Any] = lambda u, g, w: u,
    before: Callable[[Array, float, State], Array] = lambda w, lr, s: w * (1 - lr * LAM),
    after: Callable[[Array, float, State], Array] = lambda w, lr, s: w,
) -> Step:
    """AdamW with one line replaced."""

    def step(w: Array, g: Array, s: State, lr: float) -> Array:
        t1, t2 = count(s)
        numerator = m(s, g)
        square = v(s, g, numerator)
        c1, c2 = 1 - B1**t1 if t1 else 1, 1 - B2**t2 if t2 else 1
        u = direction(numerator / c1 / divisor(square, c2), g, w)
        return after(before(w, lr, s) - lr * u, lr, s)

    return step


def momentum(new: Callable[[Any, Array, State, float], Any], out: Callable[..., Any] = lambda b, g, lr: lr * b) -> Step:
    def step(w: Array, g: Array, s: State, lr: float) -> Array:
        old = s.get("b", 0 * g)
        s["b"] = new(old, g, s, lr)
        return w - out(s["b"], g, lr)

    return step


ASKED_ADAM = AdamW(lr=0.01, betas=(B1, B2), eps=EPS, weight_decay=LAM)
ASKED_SGD = SGD(lr=0.01, momentum=B1)
