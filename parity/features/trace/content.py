"""The contents of a trace, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parity.features.trace.expression import Expression
from parity.shown import Documented

if TYPE_CHECKING:
    from parity.features.trace.document import TraceDocument
    from parity.shown import Console


@dataclass(frozen=True, kw_only=True)
class Line:
    """A number: its ``symbol``, the ``formula`` that it was computed by, and what it is.

    ``framework``: what the framework has, where it shows this number; ``ulps``: from the reference to it, in units in
    the last place of ``stored``, the dtype that the framework keeps it in.
    """

    symbol: str
    formula: Expression
    value: float | bool
    framework: float | None = None
    ulps: int | None = None
    stored: str = ""


@dataclass(frozen=True, kw_only=True)
class TraceRow:
    """A row of the batch: its ``number`` in the data, and its share in the gradient of the chosen element.

    ``x``: what the element is multiplied by (1 for a bias); ``residual`` r = ŷ − y; ``upstream`` δ = ∂L/∂ŷ; ``share``
    δ·x. ``framework``, ``ulps``: of the residual.
    """

    number: int
    x: float
    output: float
    target: float
    residual: float
    upstream: float
    share: float
    framework: float | None = None
    ulps: int | None = None


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading, a sentence on what follows, and the numbers one after the other."""

    title: str
    text: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step; ``rows`` are the first of the ``batch``, which names every row in its order."""

    number: int
    epoch: int
    batch: tuple[int, ...]
    rows: tuple[TraceRow, ...]
    hyper: Mapping[str, float]
    sections: tuple[Section, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class Trace(Documented):
    """The first steps of a run. ``refusal``: why the framework has no numbers, in its own words.

    Printed, it is the text of ``parity trace``; in a notebook, its page.
    """

    experiment: str
    title: str
    optimizer: str
    element: str
    row: int
    letter: str
    dtype: str
    formulation: str
    framework: str
    refusal: str
    steps: tuple[Step, ...]

    def _document(self) -> TraceDocument:
        from parity.features.trace.document import document

        return document(self)

    def _print(self, console: Console) -> None:
        from parity.features.trace.terminal import print_trace

        print_trace(self, console)

    def _page(self) -> str:
        from parity.features.trace.page import to_html

        return to_html(self)
