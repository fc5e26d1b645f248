"""What is said of a fault, by its name: the same of a training function and of an optimizer class.

Each name has its words in one place: those of the catalogue in ``catalogue/names.toml``, those of what was measured in
``words.toml``, those of edits of an update that only a proof of its program finds in ``update/vocabulary.toml``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import chain
from types import MappingProxyType
from typing import Any

import msgspec

USUAL = "mend this line of the update"
"""The advice where there is none of the name's own."""
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Words:
    """``text``: what is the case, and ``change``: what to change in the code, both with places for what was measured.
    ``probe``: what tells it from causes that look alike."""

    text: str = ""
    change: str = USUAL
    probe: str = ""


@dataclass(frozen=True, kw_only=True)
class Worded(Words):
    """The words of a file that lists faults by kind; the rest of an entry is of those who make them."""

    id: str


@cache
def _every() -> Mapping[str, Words]:
    folder = files(__package__)
    listed = dict[str, tuple[Worded, ...]]
    edits, names = (
        list(chain(*msgspec.toml.decode(folder.joinpath(*path).read_text(encoding="utf-8"), type=listed).values()))
        for path in (("update", "vocabulary.toml"), ("catalogue", "names.toml"))
    )
    texts = {each.id: each.text for each in edits if each.text}
    every = {id: Words(text=text) for id, text in texts.items()}
    every |= {n.id: Words(text=n.text or texts.get(n.id, ""), change=n.change, probe=n.probe) for n in names}
    return every | msgspec.toml.decode(folder.joinpath("words.toml").read_text(encoding="utf-8"), type=dict[str, Words])


def words_of(id: str, measured: Mapping[str, Any] = NOTHING) -> Words:
    """The words of a name with what was measured in their places; ``KeyError``: it has none, or a place stays empty."""
    words = _every()[id]
    text, change = (each.format(**measured) for each in (words.text, words.change))
    return Words(text=text, change=change, probe=words.probe)


def raw_words(id: str) -> Words:
    """The words of a name with their places; none where it has none."""
    return _every().get(id, Words())


# -- a number of an optimizer ------------------------------------------------------------------------------------------

STEMS: Mapping[str, str] = {"betas[0]": "beta1", "betas[1]": "beta2", "weight_decay": "penalty"}
OTHER: Mapping[str, str] = {"penalty": "penalty-other-strength"}
FACTORS: Mapping[tuple[str, float], str] = {
    ("lr", 0.5): "lr-halved",
    ("lr", 2.0): "lr-doubled",
    ("lr", 10.0): "lr-tenfold",
    ("lr", 0.1): "lr-tenfold",
    ("penalty", 0.5): "penalty-halved",
    ("penalty", 2.0): "penalty-doubled",
    ("penalty", -1.0): "penalty-wrong-sign",
    ("penalty", 0.0): "penalty-missing",
    ("momentum", 0.0): "momentum-missing",
    ("dampening", 0.0): "dampening-missing",
}
"""Names of a number that is this many times the asked one."""
EXTRA: Mapping[tuple[str, bool], str] = {
    ("penalty", False): "penalty-extra-on-all",
    ("penalty", True): "decay-extra",
    ("momentum", False): "momentum-extra",
    ("momentum", True): "momentum-extra",
}
"""Names of a number where 0 was asked, and whether it is of an optimizer with decoupled decay."""
AS_FACTOR = ("lr", "eps", "penalty")
"""Numbers of which it is said how many times the asked one they are."""


def of_number(
    name: str, asked: float, executed: float, *, times: float = math.nan, decoupled: bool = False
) -> tuple[str, Words]:
    """The name and the words of a number that is not the asked one. ``times``: how many times that it is, where it was
    measured better than by division; ``decoupled``: whether the optimizer's decay is."""
    stem = STEMS.get(name, name.replace("_", "-"))
    if asked:
        times = executed / asked if math.isnan(times) else times
        id = FACTORS.get((stem, times), OTHER.get(stem, f"{stem}-other"))
        value = times if stem in AS_FACTOR else executed
    else:
        id, value = EXTRA.get((stem, decoupled), f"{stem}-other"), executed
    worded = id in _every() and (asked or stem not in ("lr", "eps"))  # of which there are no words for another than 0
    words = words_of(id if worded else "number-other", {"value": value, "name": name})
    return id, replace(words, text=f"{words.text} ({name} = {executed:.10g}, asked {asked:.10g})")


def of_option(name: str, asked: Any, executed: Any) -> tuple[str, Words]:
    """The name and the words of an option that is not the asked one."""
    text = f"{name}={executed!r} is executed, {name}={asked!r} was asked"
    id = f"{name}-{'extra' if executed else 'missing'}"
    usual = Words(text=text, change=f"set {name}={asked!r}")
    return (id, words_of(id)) if id in _every() else (f"option-{name}", usual)


def of_hyper(name: str, given: Any, executed: Any, *, decoupled: bool) -> Iterator[tuple[str, Words]]:
    """The names and the words of a hyper-parameter, which may be a pair or an option, that is executed otherwise."""
    if isinstance(given, Sequence) and isinstance(executed, Sequence) and not isinstance(given, str):
        for i, (one, other) in enumerate(zip(given, executed, strict=False)):
            if one != other:
                yield of_number(f"{name}[{i}]", float(one), float(other))
    elif any(isinstance(value, bool | str | None) for value in (given, executed)):
        yield of_option(name, given, executed)
    else:
        yield of_number(name, float(given), float(executed), decoupled=decoupled)
