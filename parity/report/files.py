"""Write a text so that the file appears whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from parity.errors import InputError


def check_place(path: Path) -> None:
    """Raise :class:`InputError` where a file cannot be written, before the work that it is for."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        probe = _temporary(path)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def write_whole(path: Path, text: str) -> Path:
    """Write to a temporary name beside ``path``, then rename. Raises :class:`InputError` where that cannot be done."""
    temporary = _temporary(path)
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be written ({error.strerror}); choose another place")
