"""Write a text so that the file appears whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from parity.errors import InputError


def write_whole(path: Path, text: str) -> Path:
    """Write to a temporary name beside ``path``, then rename. Raises :class:`InputError` where that cannot be done."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path
