"""The bytes of a data file, and whether the file is still what was read.

A file that :mod:`gzip` compressed is read as what it holds; its first two bytes say that it is one.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from refimpl.errors import DataError
from refimpl.memory import gibibytes, memory

GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Source:
    """A file as it was when it was read: its size, the time of its last change and the digest of its bytes."""

    path: str
    size: int
    modified: int
    digest: bytes

    def changed(self) -> bool:
        """Whether the file holds something else now, or cannot be read any more."""
        try:
            now = Path(self.path).stat()
            if (now.st_size, now.st_mtime_ns) == (self.size, self.modified):
                return False
            return now.st_size != self.size or _digest(Path(self.path).read_bytes()) != self.digest
        except OSError:
            return True


@runtime_checkable
class FromFiles(Protocol):
    """A source of data that reads files."""

    @property
    def sources(self) -> tuple[Source, ...]:
        """The files as they were read; empty before that."""


def shown(path: str) -> str:
    """The path as messages call it."""
    return str(path) if str(path).isprintable() else repr(path)


def read_source(path: str, allowed: str) -> tuple[bytes, Source]:
    """The bytes of a file, and the file as it was; ``allowed``: what messages say that it should be.

    Raises :class:`DataError` where it cannot be read, or where it is more than half of this machine's memory.
    """
    where, remedy, limit = shown(path), "check the path", memory() // 2
    try:
        if os.path.isdir(path):  # noqa: PTH112  # Path.is_dir raises for a name that is too long
            raise DataError(where, given="a directory", allowed=allowed, remedy="name the file in it")
        before = Path(path).stat()  # before the bytes: a change while they are read shows, too
        if before.st_size > limit:
            raise _too_large(where, gibibytes(before.st_size), limit)
        content = Path(path).read_bytes()
    except FileNotFoundError:
        given = "a path where no file is"
    except PermissionError:
        given, remedy = "a file without permission to read it", "change its permissions"
    except DataError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        given = f"a path that cannot be read ({type(error).__name__}: {getattr(error, 'strerror', error)})"
    else:
        source = Source(str(path), before.st_size, before.st_mtime_ns, _digest(content))
        return _unpacked(where, content, limit), source
    raise DataError(where, given=given, allowed="a file that can be read", remedy=remedy)


def _unpacked(where: str, content: bytes, limit: float) -> bytes:
    if not content.startswith(GZIP):
        return content
    try:
        unpacked = gzip.GzipFile(fileobj=io.BytesIO(content)).read(int(min(limit, sys.maxsize - 1)) + 1)
    except (OSError, EOFError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
        raise DataError(
            where,
            given=f"a gzip file that is damaged ({error})",
            allowed="a whole one",
            remedy="copy or compress it again",
        ) from None
    if len(unpacked) <= limit:
        return unpacked
    raise _too_large(where, f"more than {gibibytes(limit)} when unpacked", limit)


def _too_large(where: str, given: str, limit: float) -> DataError:
    return DataError(
        where,
        given=given,
        allowed=f"at most {gibibytes(limit)}, half of this machine's memory",
        remedy="give fewer rows or columns",
    )


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
