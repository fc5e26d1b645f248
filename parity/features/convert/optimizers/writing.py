"""How a library writes an optimizer: which of its words is which number of the reference.

Two libraries mean the same where both write one rule of :data:`refimpl.optimizers.OPTIMIZERS` with the same numbers::

    library's words → reference → other library's words

What a library has no word for has the value of ``fixed`` there; a rule with another value is not to be had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from parity.errors import InputError, Option, OptionError, nearest
from parity.explain.replay import Slot
from refimpl.errors import RefimplError
from refimpl.optimizers import OPTIMIZERS
from refimpl.types import Optimizer


class Inexpressible(Exception):
    """A library has no settings for a rule."""


@dataclass(frozen=True)
class Writing:
    """One optimizer of a library, ``name``, where it is the reference ``family``.

    ``words``: its word for each number of the reference, ``lr`` or ``betas[0]``. ``fixed``: numbers and options of the
    reference that it has no word for. ``given``: what it has to be told to be this rule.
    """

    name: str
    family: str
    words: Mapping[str, str]
    fixed: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    given: Mapping[str, Any] = field(default_factory=dict, kw_only=True)


def same(words: str) -> dict[str, str]:
    """Words that are the reference's own, with spaces between them."""
    return {word: word for word in words.split()}


def reference_of(writing: Writing, hyper: Mapping[str, Any], defaults: Mapping[str, Any]) -> Optimizer:
    """The rule that a library's numbers stand for; where none is given it has its ``defaults``.

    Raises :class:`InputError` for a word that the library has not, or that this table does not know.
    """
    for name, value in hyper.items():
        if name not in writing.words.values() and writing.given.get(name, MISSING) != value:
            known = [*dict.fromkeys(writing.words.values())]
            has = f"{writing.name} is known here with {', '.join(known)}{nearest(name, known)}"
            raise OptionError(Option("hyper"), f" {name}={value!r}: {has}")
    for word, needed in writing.given.items():
        has = hyper.get(word, defaults.get(word, MISSING))
        if has is MISSING or has != needed:
            raise OptionError(
                Option("hyper"), f" {word}: {writing.name} is known here with {word}={needed!r} only; give it so"
            )
    cls: Any = OPTIMIZERS[writing.family]
    usual: dict[str, Any] = {f.name: f.default for f in fields(cls)}
    numbers: dict[str, Any] = {}
    for place, word in writing.words.items():
        value = hyper.get(word, defaults.get(word, MISSING))
        if value is MISSING:
            raise OptionError(Option("hyper"), f" {word}: {writing.name} has no default for it; give {word}=…")
        slot = _slot(place)
        if slot.index is None:
            numbers[slot.field] = _plain(value)
        else:
            numbers.setdefault(slot.field, list(usual[slot.field]))[slot.index] = value
    for name, value in numbers.items():
        several = len(value) if isinstance(value, tuple | list) else 0
        if isinstance(usual[name], tuple) and several != len(usual[name]):
            raise OptionError(
                Option("hyper"), f" {name}={value!r}: allowed: {len(usual[name])} numbers, as {usual[name]}"
            )
    asked = {**writing.fixed, **{name: _as_usual(value, usual[name]) for name, value in numbers.items()}}
    try:
        made: Optimizer = cls(**{name: value for name, value in asked.items() if value is not None})
    except RefimplError as error:
        raise InputError(f"{writing.name}: {error}") from None
    return made


def words_of(writing: Writing, reference: Any) -> dict[str, Any]:
    """A library's words for a rule. Raises :class:`Inexpressible` where it has none for a number of it."""
    words: dict[str, Any] = dict(writing.given)
    said: set[str] = set()
    for place, word in writing.words.items():
        slot = _slot(place)
        words[word] = slot.of(reference)
        said.add(slot.field if slot.index is None else slot.name)
    for one in fields(reference):
        value = getattr(reference, one.name)
        if one.name in said or all(f"{one.name}[{i}]" in said for i in range(_length(value))):
            continue
        has = writing.fixed.get(one.name, one.default)
        if value != has:
            raise Inexpressible(f"{writing.name} has no {one.name}: it is {has!r} there, asked is {value!r}")
    return words


def _as_usual(value: Any, usual: Any) -> Any:
    """A list is a tuple, and 0 is 0.0 where the reference has such a number."""
    if isinstance(value, list):
        return tuple(value)
    return float(value) if type(value) is int and isinstance(usual, float) else value


def _slot(place: str) -> Slot:
    name, _, index = place.partition("[")
    return Slot(name, int(index.rstrip("]")) if index else None)


def _length(value: Any) -> int:
    """The length of a pair; a number, which ``betas[0]`` cannot be of, has more than any."""
    return len(value) if isinstance(value, tuple) else 99


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
