"""Images and labels in IDX files, the format of MNIST, plain or compressed by gzip::

    images   00 00 08 03 | n | rows | columns | n·rows·columns bytes, 0 … 255
    labels   00 00 08 01 | n | n bytes

Numbers are four bytes, the most significant first; the third byte of the first four says unsigned bytes, the last the
number of axes. Pixels become ``byte/255``, labels the numbers of classes. Source of the format: LeCun, Cortes & Burges,
"The MNIST database of handwritten digits", 1998.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from refimpl.datasets.dataset import Dataset, check_integer, rows_apart
from refimpl.datasets.source import Source, read_source
from refimpl.errors import DataError, ParameterError
from refimpl.types import Array

UNSIGNED_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class IDX:
    """``images`` and ``labels``: paths of the training files; relative ones start at the working directory.

    ``train_rows``, ``validation_rows``: the first so many rows, 0 for all. Validation rows come from
    ``validation_images`` and ``validation_labels``; without these there are none. The files are read at the first
    :meth:`make` and kept.
    """

    images: str
    labels: str
    validation_images: str | None = None
    validation_labels: str | None = None
    train_rows: int = 0
    validation_rows: int = 0

    def __post_init__(self) -> None:
        check_integer("train_rows", self.train_rows, low=0)
        check_integer("validation_rows", self.validation_rows, low=0)
        if (self.validation_images is None) != (self.validation_labels is None):
            raise ParameterError(
                "validation_images, validation_labels", given="one", allowed="both or neither", remedy="give both"
            )
        if self.validation_rows and self.validation_images is None:
            raise ParameterError(
                "validation_rows", given=self.validation_rows, allowed="0 without validation files", remedy="name them"
            )

    def make(self, rng: np.random.Generator) -> Dataset:
        """The data; nothing is drawn. Raises :class:`DataError` for whatever is wrong with a file."""
        del rng
        return self._content[0]

    @property
    def sources(self) -> tuple[Source, ...]:
        """The files as they were when they were read; empty before that."""
        return self._content[1] if "_content" in vars(self) else ()

    @cached_property
    def _content(self) -> tuple[Dataset, tuple[Source, ...]]:
        """The rows, and the files."""
        X, y, sources = _pair(self.images, self.labels, self.train_rows)
        if self.validation_images is None or self.validation_labels is None:
            return rows_apart(X, y, X.shape[1]), sources
        X_validation, y_validation, more = _pair(self.validation_images, self.validation_labels, self.validation_rows)
        if X_validation.shape[2] != X.shape[2]:
            raise DataError(
                self.validation_images,
                given=f"images of {X_validation.shape[2]} pixels",
                allowed=f"{X.shape[2]}, as in the training file",
                remedy="give images of one size",
            )
        return Dataset(X=X, y=y, X_validation=X_validation, y_validation=y_validation), (*sources, *more)


def _pair(images: str, labels: str, rows: int) -> tuple[Array, Array, tuple[Source, ...]]:
    """``X`` ``(1, n, pixels)``, ``y`` ``(1, n, 1)``, and the files."""
    (pixels, of_images), (classes, of_labels) = read(images, 3), read(labels, 1)
    if len(pixels) != len(classes):
        raise DataError(
            labels, given=f"{len(classes)} labels", allowed=f"{len(pixels)}, one per image", remedy="give a pair"
        )
    if rows > len(pixels):
        raise DataError(images, given=f"{len(pixels)} images", allowed=f"at least {rows}", remedy="ask for fewer rows")
    chosen = slice(rows or None)
    X = pixels[chosen].reshape(1, len(pixels[chosen]), -1) / 255
    return X, classes[None, chosen, None].astype(float), (of_images, of_labels)


def read(path: str, axes: int) -> tuple[Array, Source]:
    """The bytes of an IDX file with so many axes, and the file. Raises :class:`DataError`."""
    content, source = read_source(path, "an IDX file")
    magic = bytes([0, 0, UNSIGNED_BYTES, axes])
    if content[:4] != magic:
        given, allowed = f"a file that starts with {content[:4].hex(' ') or 'nothing'}", f"{magic.hex(' ')}, for IDX"
        raise DataError(path, given=given, allowed=allowed, remedy="check that images and labels are not exchanged")
    start = 4 + 4 * axes
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4))
    size = start + int(np.prod(shape, dtype=object))
    if len(content) != size or 0 in shape:
        raise DataError(
            path,
            given=f"{len(content)} bytes, of which the head says {' × '.join(map(str, shape))}",
            allowed=f"{size} bytes of at least one row",
            remedy="copy the file again",
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape), source
