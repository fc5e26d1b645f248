"""Real arithmetic that rounds each operation, sums in any order, and whether they are within their bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS

Array = npt.NDArray[Any]
NAMES = ["float64", "float32", "bfloat16", "float16"]


def profile_of(name: str, accumulate: str | None = None, **options: Any) -> Profile:
    return Profile(compute=FORMATS[name], accumulate=FORMATS[accumulate or name], **options)


class Real:
    """Numbers of one dtype; every operation rounds to it. bfloat16 is torch's, the others are NumPy's."""

    def __init__(self, name: str) -> None:
        self.name, self.torch = name, name == "bfloat16"

    def array(self, x: Any) -> Any:
        return torch.tensor(np.asarray(x), dtype=torch.bfloat16) if self.torch else np.asarray(x).astype(self.name)

    def apply(self, operation: str, *operands: Any) -> Any:
        name = {"absolute": "abs", "power": "pow"}.get(operation, operation) if self.torch else operation
        return getattr(torch if self.torch else np, name)(*operands)

    def float64(self, x: Any) -> Array:
        return x.to(torch.float64).numpy() if self.torch else np.asarray(x, np.float64)


def numbers(rng: np.random.Generator, name: str, *shape: int, exponents: tuple[int, int] = (-6, 6)) -> Array:
    """Floats of a format with random exponents; some are 0, some equal, some neighbours: where things cancel."""
    x = rng.choice([-1, 1], shape) * rng.uniform(1, 2, shape) * 2.0 ** rng.integers(*exponents, shape)
    x = np.where(rng.random(shape) < 0.1, 0, x)
    x = np.where(rng.random(shape) < 0.2, rng.choice([1.0, -1.0, 1 + 2 * FORMATS[name].u]), x)
    return FORMATS[name].round(x).astype(np.float64)


def assert_within(real: Array, exact: Array, bounded: Bounded, high_precision: Any) -> None:
    """|real − exact| ≤ error and |real − value| ≤ error, or the error is unbounded."""
    error = bounded.error
    assert real.shape == exact.shape == bounded.shape == error.shape
    known = np.isfinite(error)
    assert np.all(known | np.isinf(error))
    assert np.all(np.isfinite(real[known])), "an infinite or undefined result without an infinite bound"
    computed, allowed = high_precision.array(real[known]), high_precision.array(error[known])
    assert np.all(np.abs(computed - exact[known]) <= allowed)
    assert np.all(np.abs(computed - high_precision.array(bounded.value[known])) <= allowed)


def running(terms: Array, dtype: Any) -> Array:
    """The sum of the terms one after another, each addition rounded."""
    total = np.zeros(terms.shape[:-1], dtype)
    for i in range(terms.shape[-1]):
        total = (total + terms[..., i]).astype(dtype)
    return total


def pairwise(terms: Array, dtype: Any) -> Array:
    while terms.shape[-1] > 1:
        if terms.shape[-1] % 2:
            terms = np.concatenate([terms, np.zeros_like(terms[..., :1])], axis=-1)
        terms = (terms[..., ::2] + terms[..., 1::2]).astype(dtype)
    return terms[..., 0]


ORDERS: dict[str, Callable[[Array, Any], Array]] = {
    "one after another": running,
    "pairwise": pairwise,
    "numpy": lambda terms, dtype: terms.sum(axis=-1, dtype=dtype),
    "backwards": lambda terms, dtype: running(terms[..., ::-1], dtype),
    "largest first": lambda terms, dtype: running(np.sort(terms)[..., ::-1], dtype),
    "smallest first": lambda terms, dtype: running(np.sort(terms), dtype),
}


def uncertain(value: float, error: float) -> Bounded:
    return Bounded(np.array(value), error, profile_of("float32"))
