"""Everything of a parameter that a step could touch, exactly, and the checks that nothing of it has moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parity.judge.expected import Expected
from refimpl.arithmetic.formats import FORMATS
from refimpl.types import Array

SCALARS = ("eta", "mu", "mu_product")
"""States that are one number, made as a tensor of torch's default dtype."""


@dataclass(frozen=True)
class Snapshot:
    """One parameter at one moment; ``place``: where its storage lies, and its shape."""

    value: Array
    gradient: Array | None
    state: Mapping[str, Array]
    formats: Mapping[str, str]
    place: Array
    version: int

    @classmethod
    def of(cls, parameter: Tensor, state: Mapping[str, Any]) -> Snapshot:
        tensors = {key: value if isinstance(value, Tensor) else torch.tensor(value) for key, value in state.items()}
        gradient = parameter.grad
        place = (parameter.data_ptr(), *parameter.shape, *parameter.stride(), dtype_number(parameter.dtype))
        return cls(
            value=exact(parameter),
            gradient=None if gradient is None else exact(gradient),
            state={key: exact(tensor) for key, tensor in tensors.items()},
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
    yield same(f"{name} untouched", number, before.value, after.value)
    yield same(f"{name} storage", number, before.place, after.place)
    if versions:
        counts = np.array([[before.version]]), np.array([[after.version]])
        yield same(f"{name} version untouched", number, *counts)
    for key in {**before.state, **after.state}:
        yield same(f"{name}.{key} untouched", number, before.state.get(key), after.state.get(key))


def same(quantity: str, number: int, expected: Array | None, candidate: Array | None) -> Expected:
    """Held to equality; what is not there is nan, and nan equals nothing but itself before."""
    if expected is None or candidate is None or expected.shape != candidate.shape:
        expected, candidate = np.zeros((1, 1)), np.full((1, 1), np.nan)
    both_nan = np.isnan(expected) & np.isnan(candidate)
    expected, candidate = (np.where(both_nan, 0, array).astype(np.longdouble) for array in (expected, candidate))
    return Expected(quantity, np.array([number]), candidate, expected, np.zeros(expected.shape), expected == expected)


def exact(tensor: Tensor) -> Array:
    """A tensor in float64 with the axis of runs; complex numbers as pairs, sparse ones filled up with 0."""
    found = tensor.detach()
    found = found.to_dense() if found.is_sparse else found
    if found.is_complex():
        found = torch.stack([found.real, found.imag], dim=-1)
    array: Array = found.to("cpu", torch.float64, copy=True).numpy()[None]
    return array


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
    return sorted(map(str, (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64))).index(
        str(dtype)
    )
