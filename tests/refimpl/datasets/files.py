"""Arrays and archives of them, and the one line that is said of a bad file."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from refimpl.datasets import File
from refimpl.errors import DataError


def message(path: Path | str, **options: Any) -> str:
    """The error, without the folder of the file."""
    with pytest.raises(DataError) as caught:
        File(path=str(path), **options).make(np.random.default_rng(0))
    said = str(caught.value)
    assert said.isprintable(), "one line"
    assert caught.value.what.strip("'").startswith(str(Path(path).parent))
    assert all((caught.value.given, caught.value.allowed, caught.value.remedy))
    assert caught.value.__cause__ is None and (caught.value.__suppress_context__ or caught.value.__context__ is None)
    return said.replace(str(Path(path).parent) + os.sep, "")


X, Y = np.arange(6.0).reshape(3, 2), np.arange(3.0)
V: dict[str, Any] = {"X_validation": X, "y_validation": Y}


def npy(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()
