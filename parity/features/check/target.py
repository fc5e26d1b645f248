"""The target of a check: an object in a file or in a module, or a log."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from parity.errors import InputError, nearest, nearest_file, spelled

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
        """Whether the target looks like a class, by its name, which costs no import."""
        return self.name[:1].isupper()

    @property
    def is_file(self) -> bool:
        return self.place.endswith(".py")

    def __str__(self) -> str:
        return f"{self.place}:{self.name}" if self.name else self.place


def parse(text: str) -> Target:
    """``file.py:name``, ``package.module:name``, also with a point, or a log. Raises :class:`InputError`."""
    if text.endswith(LOGS):
        if not Path(text).is_file():
            raise InputError(f"{text}: no such file{nearest_file(text)}")
        return Target(text, "")
    if text.endswith(".py") and Path(text).is_file():
        raise InputError(f"{text}: which function or class of it? give {text}:name; {_defined(Path(text))}")
    point = "." if ":" not in text and not Path(text).exists() else ":"  # torch.optim.AdamW
    place, between, name = text.rpartition(point)
    if not between or not place or not name.isidentifier():
        raise InputError(f"{text}: no target; allowed: file.py:name, package.module:name, or a log ({', '.join(LOGS)})")
    if place.endswith(".py") and not Path(place).is_file():
        raise InputError(f"{place}: no such file{nearest_file(place)}")
    if not place.endswith(".py") and not all(part.isidentifier() for part in place.split(".")):
        raise InputError(f"{place}: neither a file that ends in .py nor the name of a module")
    return Target(place, name)


def load(target: Target) -> Any:
    """The object. Raises what the file or module raises, and :class:`InputError` where the name is not in it."""
    module = _from_file(Path(target.place)) if target.is_file else _module(target.place)
    some = {name: what for name, what in vars(module).items() if not isinstance(what, ModuleType)}
    name = spelled(target.name, some)  # torch.optim:sgd is no module
    if name not in some and not hasattr(module, name):
        names = [name for name in some if not name.startswith("_")]
        has = ", ".join(sorted(names)[:12]) or "nothing"
        raise InputError(f"{target.place} has no {target.name}; it has {has}{nearest(target.name, names)}")
    return some[name] if name in some else getattr(module, name)


def _module(place: str) -> ModuleType:
    """A module that is installed, or one of the current folder, as ``python -m`` finds it."""
    here = str(Path.cwd())
    if not {"", here} & set(sys.path):
        sys.path.append(here)
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise  # one that the module imports
        raise InputError(
            f"{place}: there is no module {error.name}; allowed: file.py:name, package.module:name, or a log "
            f"({', '.join(LOGS)}){_nearest_module(error.name)}"
        ) from None


def _nearest_module(name: str) -> str:
    """``"; did you mean 'torch.optim'?"`` for the module of the same package with the nearest name, or nothing."""
    package = name.rpartition(".")[0]
    folders = sys.modules[package].__path__ if package else None
    beside = [file.name for file in pkgutil.iter_modules(folders, f"{package}." if package else "")]
    return nearest(name, beside)


def _defined(path: Path) -> str:
    """The functions and classes of a file, which is not run for that."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError):
        return "it is no Python"
    names = [one.name for one in body if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.name[0] != "_"]
    return f"it defines {', '.join(names[:12])}" if names else "it defines none"


def _from_file(path: Path) -> Any:
    """A file as a module; files beside it can be imported, as when it is run."""
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
