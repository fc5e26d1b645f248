"""What an answer is: a run or a question of a lesson, and the evidence, computed when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Cell: TypeAlias = str | int | float

TEXTBOOK = "textbook on weight decay (S0)"
TUTORIAL = "tutorial on regularisation (S1)"
ARTICLE = "article on L2 in PyTorch (S2)"
NOTES = "course notes on weight decay (S3)"
THREAD = "readers' thread on the textbook (S4)"
LIBRARIES = "users of other libraries"
"""Who asked: the lessons, whose experiments have names that begin with s0- … s4-, and others."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """``text``: the explanation in Markdown, its numbers computed; ``columns`` and ``rows``: a table of numbers."""

    text: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One run or question of a lesson.

    ``source``: the lesson. ``asked``: the question, or the run, in our words. ``seen``: what its author saw or
    printed; empty where nothing is reported. ``why``: the reason in one line, without computed numbers.
    ``experiments``: the gallery's entries for it. ``commands``: what shows it, beside ``parity answer ID``.
    ``evidence``: computes; seconds at most.
    """

    id: str
    source: str
    asked: str
    seen: str = ""
    why: str
    experiments: tuple[str, ...] = ()
    commands: tuple[str, ...]
    evidence: Callable[[], Reply]
