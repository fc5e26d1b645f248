"""The experiments that come with the package, one TOML file each in ``parity/experiments``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path

from parity.errors import InputError, nearest, nearest_file

FOLDER = Path(str(resources.files("parity") / "experiments"))


def names() -> list[str]:
    """The names of the gallery, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def find(name_or_file: str) -> list[Path]:
    """The file, or the gallery's files whose names match (``s0-*``). Raises :class:`InputError`."""
    if name_or_file.endswith(".toml") or "/" in name_or_file:
        path = Path(name_or_file)
        if not path.is_file():
            raise InputError(
                f"{name_or_file}: no such file; give an experiment file or a name from `parity list`"
                f"{nearest_file(name_or_file)}"
            )
        return [path]
    known = names()
    paths = [FOLDER / f"{name}.toml" for name in known if fnmatchcase(name, name_or_file.casefold())]
    if not paths:
        raise InputError(
            f"{name_or_file}: no such experiment; `parity list` shows all {len(known)}{nearest(name_or_file, known)}"
        )
    return paths
