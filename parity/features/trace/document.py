"""The document of ``parity trace``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from parity.document import Document, Number
from parity.features.trace.text import TEXT

if TYPE_CHECKING:
    from parity.features.trace.content import Line, Step, Trace, TraceRow


class LineRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A number: its ``symbol``, the ``formula`` it was computed by, the same with ``numbers`` inserted, and its value.

    ``framework``: what the framework has, null where it does not show this number; ``ulps``: from the reference to it,
    in units in the last place of ``stored``, the dtype that the framework keeps it in.
    """

    symbol: str
    formula: str
    numbers: str
    value: Number | bool
    framework: Number | None
    ulps: int | None
    stored: str


class SectionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A heading, a sentence on what follows, and the numbers in the order of their computation."""

    title: str
    text: str
    lines: list[LineRecord]


class RowRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the batch: its ``number`` in the data, and its share in the gradient of the chosen element.

    ``x``: what the element is multiplied by; ``residual``: r = ŷ − y; ``upstream``: δ = ∂L/∂ŷ; ``share``: δ·x;
    ``framework``, ``ulps``: of the residual.
    """

    number: int
    x: Number
    output: Number
    target: Number
    residual: Number
    upstream: Number
    share: Number
    framework: Number | None
    ulps: int | None


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One step. ``batch``: the row numbers in their order; ``rows``: the first of them; ``hyper``: the numbers in
    effect by symbol.
    """

    number: int
    epoch: int
    batch: list[int]
    rows: list[RowRecord]
    hyper: dict[str, Number]
    sections: list[SectionRecord]


class TraceDocument(Document, frozen=True, kw_only=True, tag="trace"):
    """The first steps of a run, number by number. ``element``: whose update is shown; ``row``: which is followed, by
    its place in each batch; ``refusal``: why the framework has no numbers, or empty.
    """

    schema: Literal[1]
    experiment: str
    title: str
    optimizer: str
    element: str
    row: int
    dtype: str
    formulation: str
    framework: str
    refusal: str
    steps: list[StepRecord]


def document(trace: Trace) -> TraceDocument:
    """The document of a trace."""
    return TraceDocument(
        schema=1,
        experiment=trace.experiment,
        title=trace.title,
        optimizer=trace.optimizer,
        element=trace.element,
        row=trace.row,
        dtype=trace.dtype,
        formulation=trace.formulation,
        framework=trace.framework,
        refusal=trace.refusal,
        steps=[_step(step) for step in trace.steps],
    )


def _step(step: Step) -> StepRecord:
    return StepRecord(
        number=step.number,
        epoch=step.epoch,
        batch=list(step.batch),
        rows=[_row(row) for row in step.rows],
        hyper=dict(step.hyper),
        sections=[
            SectionRecord(title=section.title, text=section.text, lines=[_line(line) for line in section.lines])
            for section in step.sections
        ],
    )


def _row(row: TraceRow) -> RowRecord:
    return RowRecord(
        number=row.number,
        x=row.x,
        output=row.output,
        target=row.target,
        residual=row.residual,
        upstream=row.upstream,
        share=row.share,
        framework=row.framework,
        ulps=row.ulps,
    )


def _line(line: Line) -> LineRecord:
    return LineRecord(
        symbol=line.symbol,
        formula=TEXT.symbols(line.formula),
        numbers=TEXT.numbers(line.formula),
        value=line.value,
        framework=line.framework,
        ulps=line.ulps,
        stored=line.stored,
    )
