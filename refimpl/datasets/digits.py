"""The optical digits that come with scikit-learn: 1,797 handwritten digits, 8 × 8 pixels of 0 … 16 each.

::

    g = pixels/16                                   0 … 1
    s_i = (i + ½)·8/side − ½                        where the centre of new pixel i lies among the old centres
    x = R g Rᵀ,   (Rv)_i = (1 − f_i)·v_⌊s_i⌋ + f_i·v_⌊s_i⌋₊₁,   f_i = s_i − ⌊s_i⌋     bilinear; outside, the edge

which is ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)``. At ``side = 28`` a row has the 784
features of an MNIST image. Source of the data: Alpaydin & Kaynak, "Optical Recognition of Handwritten Digits", UCI
Machine Learning Repository, 1998 (its test set), as ``sklearn.datasets.load_digits`` has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from refimpl.datasets.dataset import Dataset, check_integer, rows_apart
from refimpl.errors import DataError, ParameterError
from refimpl.types import Array

ROWS = 1797
SIDE = 8


@dataclass(frozen=True, kw_only=True)
class Digits:
    """``train_rows`` and ``validation_rows`` digits that the generator picks among all, as rows of ``side``² pixels.

    Targets are the digits 0 … 9. Needs scikit-learn.
    """

    train_rows: int = 1437
    validation_rows: int = 360
    side: int = 28

    def __post_init__(self) -> None:
        check_integer("train_rows", self.train_rows, low=1)
        check_integer("validation_rows", self.validation_rows, low=0)
        check_integer("side", self.side, low=1)
        if self.train_rows + self.validation_rows > ROWS:
            raise ParameterError(
                "train_rows, validation_rows",
                given=f"{self.train_rows} and {self.validation_rows}",
                allowed=f"at most {ROWS} together",
                remedy="give fewer",
            )

    def make(self, rng: np.random.Generator) -> Dataset:
        """Load, pick and scale the digits. Raises :class:`DataError` where scikit-learn is not installed."""
        images, digits = load()
        picked = rng.permutation(ROWS)[: self.train_rows + self.validation_rows]
        pixels = scaled(images[picked] / 16, self.side).reshape(1, len(picked), -1)
        return rows_apart(pixels, digits[None, picked, None], self.train_rows)


def scaled(images: Array, side: int) -> Array:
    """``(n, side, side)`` from ``(n, 8, 8)``: R g Rᵀ, one axis after the other."""
    for axis in (1, 2):
        images = _stretched(images.swapaxes(axis, 2), side).swapaxes(axis, 2)
    return images


def _stretched(v: Array, side: int) -> Array:
    """R v along the last axis, element by element: a matrix product rounds otherwise on every machine."""
    s = np.clip((np.arange(side) + 0.5) * v.shape[-1] / side - 0.5, 0, v.shape[-1] - 1)
    low = np.floor(s).astype(int)
    high, f = np.minimum(low + 1, v.shape[-1] - 1), s - low
    stretched: Array = (1 - f) * v[..., low] + f * v[..., high]
    return stretched


@cache
def load() -> tuple[Array, Array]:
    """Images ``(1797, 8, 8)`` and digits ``(1797,)`` in float64."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "digits",
            given="no scikit-learn, which has the images",
            allowed="an installed scikit-learn",
            remedy="pip install 'step-parity[data]', or train on synthetic classes with kind = \"classes\"",
        ) from error
    bunch = load_digits()
    return bunch.images.astype(float), bunch.target.astype(float)
