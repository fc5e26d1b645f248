"""Initial parameters as data: drawn once from a seeded generator and handed to every framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from refimpl.errors import ParameterError, ShapeError
from refimpl.ranges import Finite, NonNegative, check_fields
from refimpl.types import Array


class Init(Protocol):
    """How one parameter starts."""

    def draw(self, shape: tuple[int, ...], features: int, truth: Array | None, rng: np.random.Generator) -> Array:
        """An array of ``shape`` (torch's); ``truth`` is the value that made the data, where there is one.

        ``features``: the inputs of the layer that the parameter belongs to.
        """


@dataclass(frozen=True, kw_only=True)
class Normal:
    """N(mean, std²)."""

    std: NonNegative
    mean: Finite = 0.0

    def __post_init__(self) -> None:
        check_fields(self)

    def draw(self, shape: tuple[int, ...], features: int, truth: Array | None, rng: np.random.Generator) -> Array:
        del features, truth
        return self.mean + self.std * rng.standard_normal(shape)


@dataclass(frozen=True, kw_only=True)
class Constant:
    """One value everywhere."""

    value: Finite = 0.0

    def __post_init__(self) -> None:
        check_fields(self)

    def draw(self, shape: tuple[int, ...], features: int, truth: Array | None, rng: np.random.Generator) -> Array:
        del features, truth, rng
        return np.full(shape, self.value)


@dataclass(frozen=True, kw_only=True)
class TorchDefault:
    """U(−1/√p, 1/√p) for p inputs of the layer: what ``torch.nn.Linear`` does for its weight and its bias.

    ``kaiming_uniform_(a=√5)`` has the bound √(6/((1 + a²)p)) = 1/√p.
    """

    def draw(self, shape: tuple[int, ...], features: int, truth: Array | None, rng: np.random.Generator) -> Array:
        del truth
        bound = 1 / np.sqrt(features)
        return rng.uniform(-bound, bound, shape)


@dataclass(frozen=True, kw_only=True)
class Integers:
    """Integers drawn evenly from ``low`` to ``high``, both included: for probes without rounding errors."""

    low: int = -3
    high: int = 3

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ParameterError("low", given=self.low, allowed=f"at most high = {self.high}", remedy="swap them")

    def draw(self, shape: tuple[int, ...], features: int, truth: Array | None, rng: np.random.Generator) -> Array:
        del features, truth
        return rng.integers(self.low, self.high, shape, endpoint=True).astype(float)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The parameters that made the data: the residual starts at the noise."""

    def draw(self, shape: tuple[int, ...], features: int, truth: Array | None, rng: np.random.Generator) -> Array:
        del features, rng
        if truth is None:
            raise ParameterError(
                "init", given="truth", allowed="truth for generated data", remedy="use another init for loaded data"
            )
        return truth.reshape(shape)


@dataclass(frozen=True, kw_only=True)
class Values:
    """The numbers themselves, in row-major order."""

    values: tuple[float, ...]

    def draw(self, shape: tuple[int, ...], features: int, truth: Array | None, rng: np.random.Generator) -> Array:
        del features, truth, rng
        if len(self.values) != np.prod(shape):
            raise ShapeError(
                "values", given=f"{len(self.values)} numbers", allowed=f"shape {shape}", remedy="give one per element"
            )
        return np.array(self.values, dtype=float).reshape(shape)


INITS = {
    "normal": Normal,
    "constant": Constant,
    "torch_default": TorchDefault,
    "integers": Integers,
    "truth": Truth,
    "values": Values,
}


def draw_all(
    inits: Mapping[str, Init],
    shapes: Mapping[str, tuple[int, ...]],
    features: int,
    truth: Mapping[str, Array] | None,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Each parameter ``(1, …)`` in the model's order; a parameter without an entry starts at 0."""
    for name in inits:
        if name not in shapes:
            raise ParameterError(
                "init", given=repr(name), allowed=", ".join(shapes), remedy="name the model's parameters"
            )
    drawn = {}
    for name, shape in shapes.items():
        true_value = truth.get(name) if truth is not None else None
        layer = name.removesuffix("weight").removesuffix("bias")
        inputs = shapes.get(f"{layer}weight", (features,))[-1]  # of the layer, for its weight and its bias
        drawn[name] = inits.get(name, Constant()).draw(shape, inputs, true_value, rng)[None]
    return drawn
