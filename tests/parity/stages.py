"""What the stages of Muon and L-BFGS are judged with, and torch's own modules with a piece of their source replaced."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from parity.step.expected import Expected
from refimpl.arithmetic.bounded import Profile
from refimpl.arithmetic.formats import FORMATS


def label(value: object) -> str:
    """A name that is the same in every process."""
    return ",".join(sorted(map(str, value))) if isinstance(value, set) else str(value)


Array = npt.NDArray[Any]
LOW = ("bfloat16", "float16")
ROW = [
    "float32",
    "bfloat16",
    pytest.param("float64", marks=pytest.mark.slow),
    pytest.param("float16", marks=pytest.mark.slow),
]
"""A correct run is tried in all dtypes; where a fault shows in float32, it does so in float64."""


def profile(dtype: str) -> Profile:
    """torch sums low precision up in float32 (measured: test_adafactor)."""
    return Profile(compute=FORMATS[dtype], accumulate=FORMATS["float32" if dtype in LOW else dtype])


def faulty(module: types.ModuleType, original: str, fault: str) -> types.ModuleType:
    """torch's own module with one piece of its source replaced."""
    source = inspect.getsource(module)
    assert original in source, original
    copy = types.ModuleType(module.__name__)
    copy.__file__, copy.__package__ = module.__file__, module.__package__
    exec(compile(source.replace(original, fault), str(module.__file__), "exec"), vars(copy))
    return copy


class Used:
    """The largest share of the tolerance by kind of quantity, without the number of the iteration or pair."""

    def __init__(self) -> None:
        self.shares: dict[str, float] = {}

    def add(self, pieces: Iterable[Expected]) -> Used:
        for piece in pieces:
            kind = str(replace(piece.quantity, number=None))
            self.shares[kind] = max(self.shares.get(kind, 0), float(np.max(piece.share, initial=0)))
        return self

    def join(self, other: Used) -> None:
        for kind, share in other.shares.items():
            self.shares[kind] = max(self.shares.get(kind, 0), share)

    @property
    def wrong(self) -> set[str]:
        return {kind for kind, share in self.shares.items() if share > 1}

    def loose(self, *ignored: str) -> dict[str, float]:
        return {kind: share for kind, share in self.shares.items() if share < 0.1 and kind not in ignored}
