"""Images and labels in IDX files, the format of MNIST, plain or compressed by gzip::

    images   00 00 08 03 | n | rows | columns | n·rows·columns bytes, 0 … 255
    labels   00 00 08 01 | n | n bytes

Numbers are four bytes, the most significant first; the third byte of the first four says unsigned bytes, the last the
number of axes. Pixels become ``byte/255``, labels the numbers of classes. Source of the format: LeCun, Cortes & Burges,
"The MNIST database of handwritten digits", 1998.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refimpl.datasets.dataset import Dataset, check_integer, rows_apart
from refimpl.errors import DataError, ParameterError
from refimpl.types import Array

UNSIGNED_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class IDX:
    """``images`` and ``labels``: paths of the training files; relative ones start at the working directory.

    ``train_rows``, ``validation_rows``: the first so many rows, 0 for all. Validation rows come from
    ``validation_images`` and ``validation_labels``; without these there are none.
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
        """Read the files; nothing is drawn. Raises :class:`DataError` for whatever is wrong with one."""
        del rng
        X, y = _pair(self.images, self.labels, self.train_rows)
        if self.validation_images is None or self.validation_labels is None:
            return rows_apart(X, y, X.shape[1])
        X_validation, y_validation = _pair(self.validation_images, self.validation_labels, self.validation_rows)
        if X_validation.shape[2] != X.shape[2]:
            raise DataError(
                self.validation_images,
                given=f"images of {X_validation.shape[2]} pixels",
                allowed=f"{X.shape[2]}, as in the training file",
                remedy="give images of one size",
            )
        return Dataset(X=X, y=y, X_validation=X_validation, y_validation=y_validation)


def _pair(images: str, labels: str, rows: int) -> tuple[Array, Array]:
    """``X`` ``(1, n, pixels)`` and ``y`` ``(1, n, 1)``."""
    pixels, classes = read(images, 3), read(labels, 1)
    if len(pixels) != len(classes):
        raise DataError(
            labels, given=f"{len(classes)} labels", allowed=f"{len(pixels)}, one per image", remedy="give a pair"
        )
    if rows > len(pixels):
        raise DataError(images, given=f"{len(pixels)} images", allowed=f"at least {rows}", remedy="ask for fewer rows")
    chosen = slice(rows or None)
    return pixels[chosen].reshape(1, len(pixels[chosen]), -1) / 255, classes[None, chosen, None].astype(float)


def read(path: str, axes: int) -> Array:
    """The bytes of an IDX file with so many axes. Raises :class:`DataError`."""
    content = _content(path)
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
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _content(path: str) -> bytes:
    try:
        content = Path(path).read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, ValueError, EOFError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(
            path, given=f"what cannot be read ({reason})", allowed="an IDX file", remedy="check the path"
        ) from error
