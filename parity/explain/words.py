"""What is said of a cause or of a finding by its name: ``words.toml`` beside this file, or the catalogue, has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from parity.explain.catalogue import NAMES, Name
from parity.explain.cause import Cause
from parity.step.design import Design


@dataclass(frozen=True, kw_only=True)
class Words:
    """``text``: what is the case, and ``change``: what to change in the code, both with places for what was measured.
    ``probe``: what tells it from causes that look alike."""

    text: str
    change: str
    probe: str = ""


@cache
def _every() -> Mapping[str, Words | Name]:
    source = files(__package__).joinpath("words.toml").read_text(encoding="utf-8")
    return {**NAMES, **msgspec.toml.decode(source, type=dict[str, Words])}


def words_of(id: str, measured: Mapping[str, Any]) -> Words:
    """The words of a name with what was measured in their places."""
    words = _every()[id]
    text, change = (each.format(**measured) for each in (words.text, words.change))
    return Words(text=text, change=change, probe=words.probe)


def cause(
    id: str,
    apply: Callable[[Design], Design | None],
    *,
    of: str = "",
    numbers: int = 0,
    named: bool = True,
    evidence: str = "",
    variant: float = 0.0,
    **measured: Any,
) -> Cause:
    """A cause by its name. ``of``: the entry of the words where it is not the name's own; ``measured``: what stands in
    their places; the rest as in :class:`Cause`."""
    words = words_of(of or id, measured)
    return Cause(
        id=id,
        text=words.text,
        change=words.change,
        probe=words.probe,
        apply=apply,
        numbers=numbers,
        named=named,
        evidence=evidence,
        variant=variant,
    )
