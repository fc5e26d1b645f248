"""Everything of a parameter that a step could touch, exactly, and the checks that nothing of it has moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.step.expected import Expected, Quantity
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array

SCALARS = ("eta", "mu", "mu_product")
"""States that are one number, made as a tensor of torch's default dtype."""


@dataclass(frozen=True)
class Snapshot:
    """One parameter at one moment; ``place``: where its storage lies, and its shape.

    Arrays ``(1, …)`` hold the whole of a tensor, or ``(1, k)`` the ``elements`` that were asked for.
    """

    value: Array
    gradient: Array | None
    state: Mapping[str, Array]
    formats: Mapping[str, str]
    place: Array
    version: int

    @classmethod
    def of(
        cls,
        parameter: Tensor,
        state: Mapping[str, Any],
        elements: Tensor | None = None,
        gradient: Tensor | None = None,
    ) -> Snapshot:
        """``gradient``: of a part of a parameter, which has none of its own."""
        tensors = {key: value if isinstance(value, Tensor) else torch.tensor(value) for key, value in state.items()}
        gradient = parameter.grad if gradient is None else gradient
        at = partial(exact_at, elements=elements, shape=parameter.shape)
        place = (parameter.data_ptr(), *parameter.shape, *parameter.stride(), dtype_number(parameter.dtype))
        return cls(
            value=at(parameter),
            gradient=None if gradient is None else at(gradient),
            state={key: at(tensor) for key, tensor in tensors.items()},
            formats={"param": real_name(parameter), **{key: kept_in(key, t) for key, t in tensors.items()}},
            place=np.array([place], float),
            version=parameter._version,
        )


def untouched(
    name: str, number: int, before: Snapshot, after: Snapshot, *, versions: bool = True
) -> Iterator[Expected]:
    """A parameter that no step may move: its values, its storage, its version and its state.

    L-BFGS adds 0 to a parameter without a gradient: its version counts that.
    """
    yield same(Quantity("untouched", name), number, before.value, after.value)
    yield same(Quantity("storage", name), number, before.place, after.place)
    if versions:
        counts = np.array([[before.version]]), np.array([[after.version]])
        yield same(Quantity("version", name), number, *counts)
    for key in {**before.state, **after.state}:
        quantity = Quantity("untouched", name, key)
        yield same(quantity, number, before.state.get(key), after.state.get(key))


def gradient_untouched(
    name: str, number: int, before: Snapshot, after: Snapshot, unscaled: Array | None = None, *, fused: bool = False
) -> Iterator[Expected]:
    """No step changes ``.grad``, but for a gradient scaler, which leaves it ``unscaled``.

    A fused step unscales in its kernel, which may or may not write the gradient back.
    """
    if before.gradient is None or after.gradient is None:
        return
    kept = unscaled is None or (fused and np.array_equal(after.gradient, before.gradient, equal_nan=True))
    yield same(Quantity("gradient untouched", name), number, before.gradient if kept else unscaled, after.gradient)


def same(quantity: Quantity, number: int, expected: Array | None, candidate: Array | None) -> Expected:
    """Held to equality; what is not there is nan, and nan equals nothing but itself before."""
    if expected is None or candidate is None or expected.shape != candidate.shape:
        expected, candidate = np.zeros((1, 1)), np.full((1, 1), np.nan)
    both_nan = np.isnan(expected) & np.isnan(candidate)
    expected, candidate = (np.where(both_nan, 0, array).astype(np.longdouble) for array in (expected, candidate))
    return Expected(quantity, np.array([number]), candidate, expected, np.zeros(expected.shape), expected == expected)


def exact(tensor: Tensor) -> Array:
    """A tensor in float64 with the axis of runs; complex numbers as pairs, sparse ones filled up with 0."""
    plain = tensor.detach()
    plain = plain.to_dense() if plain.is_sparse else plain
    if plain.is_complex():
        plain = torch.stack([plain.real, plain.imag], dim=-1)
    array: Array = plain.to("cpu", torch.float64, copy=True).numpy()[None]
    return array


def exact_at(tensor: Tensor, elements: Tensor | None, shape: torch.Size) -> Array:
    """The elements that are asked for, by their number in row-major order, of what has this shape; else all of it.

    They are picked where the tensor lies, so that nothing else is copied.
    """
    return exact(tensor if elements is None or tensor.shape != shape else tensor.detach().take(elements))


def held_by(sparse: Tensor) -> Array:
    """Which elements a sparse tensor holds; of complex ones both parts."""
    values = sparse._values()
    ones = torch.complex(*[torch.ones(values.shape)] * 2) if values.is_complex() else torch.ones(values.shape)
    held: Array = exact(torch.sparse_coo_tensor(sparse._indices(), ones, sparse.shape)) != 0
    return held


def real_name(tensor: Tensor) -> str:
    """The name of the floating-point format of a tensor's elements."""
    dtype = tensor.dtype.to_real() if tensor.dtype.is_complex else tensor.dtype
    name = str(dtype).removeprefix("torch.")
    return name if name in FORMATS else "float64"


def kept_in(key: str, tensor: Tensor) -> str:
    """The format of a state; numbers that torch makes as float32 tensors are no better in a wider one."""
    name = real_name(tensor)
    return "float32" if key in SCALARS and name == "float64" else name


def dtype_number(dtype: torch.dtype) -> int:
    return [*FORMATS, "complex32", "complex64", "complex128"].index(str(dtype).removeprefix("torch."))
