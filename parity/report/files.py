"""Write a text so that the file appears whole or not at all.

A link keeps pointing where it points: the file that it names is replaced. What is there and is no regular file (a pipe,
a device) cannot be renamed over and is written directly.
"""

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
        if _is_special(path):
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        probe = _temporary(path)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def write_whole(path: Path, text: str) -> Path:
    """Write to a temporary name beside ``path``, then rename. Raises :class:`InputError` where that cannot be done."""
    temporary = _temporary(path)
    try:
        if _is_special(path):
            path.write_text(text, encoding="utf-8")
        else:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path.resolve())
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _is_special(path: Path) -> bool:
    """Whether it is there, links followed, and neither a regular file nor a folder."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _temporary(path: Path) -> Path:
    """Beside the file that is replaced, since only there can it be renamed."""
    path = path.resolve()
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be written ({error.strerror}); choose another place")
