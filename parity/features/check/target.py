"""The target of a check: an object in a file or in a module, or a log."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity.errors import InputError

LOGS = (".npz", ".csv", ".jsonl")


@dataclass(frozen=True)
class Target:
    """``place``: a file or a module, with the ``name`` of what is in it; a log has no name."""

    place: str
    name: str

    @property
    def is_log(self) -> bool:
        return not self.name

    @property
    def is_class(self) -> bool:
        """Whether the target is a class, by its name, which costs no import."""
        return self.name[:1].isupper()

    @property
    def is_file(self) -> bool:
        return self.place.endswith(".py")

    def __str__(self) -> str:
        return f"{self.place}:{self.name}" if self.name else self.place


def parse(text: str) -> Target:
    """``file.py:name``, ``package.module:name`` or a log. Raises :class:`InputError`."""
    if text.endswith(LOGS):
        if not Path(text).is_file():
            raise InputError(f"{text}: no such file")
        return Target(text, "")
    place, colon, name = text.rpartition(":")
    if not colon or not place or not name.isidentifier():
        raise InputError(f"{text}: no target; allowed: file.py:name, package.module:name, or a log ({', '.join(LOGS)})")
    if place.endswith(".py") and not Path(place).is_file():
        raise InputError(f"{place}: no such file")
    if not place.endswith(".py") and not all(part.isidentifier() for part in place.split(".")):
        raise InputError(f"{place}: neither a file that ends in .py nor the name of a module")
    return Target(place, name)


def load(target: Target) -> Any:
    """The object. Raises what the file or module raises, and :class:`InputError` where the name is not in it."""
    module = _from_file(Path(target.place)) if target.is_file else importlib.import_module(target.place)
    if not hasattr(module, target.name):
        names = ", ".join(sorted(name for name in vars(module) if not name.startswith("_"))[:12])
        raise InputError(f"{target.place} has no {target.name}; it has {names}")
    return getattr(module, target.name)


def _from_file(path: Path) -> Any:
    """A file as a module; files beside it can be imported, as when it is run."""
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
