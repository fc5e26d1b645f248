"""Edits of an update that have a name: ``vocabulary.toml`` beside this file, where their form is said."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec


@dataclass(frozen=True, kw_only=True)
class Wording:
    """``changes``: pairs of a pattern and of what takes its place. ``kind``: edits of one kind exclude one another."""

    id: str
    kind: str
    text: str
    changes: tuple[tuple[str, str], ...]


@cache
def vocabulary() -> tuple[Wording, ...]:
    """All of them, in the order in which they are tried."""
    source = files(__package__).joinpath("vocabulary.toml").read_text(encoding="utf-8")
    return msgspec.toml.decode(source, type=dict[str, tuple[Wording, ...]])["edit"]
