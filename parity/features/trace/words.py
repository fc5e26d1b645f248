"""What every form of the page says: its sentences, the cells of its tables, its lines in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from parity.features.trace.mathml import MATHML
from parity.features.trace.numbers import digits, distance, short
from parity.features.trace.text import TEXT

if TYPE_CHECKING:
    from parity.features.trace.content import Line, Step, Trace, TraceRow


@dataclass(frozen=True)
class Written:
    """A line in words: ``symbol = formula = numbers = result``, and the number on both sides with all its digits."""

    symbol: str
    formula: str
    numbers: str
    result: str
    mathml: str
    reference: str
    framework: str
    ulps: str


def written(line: Line, dtype: str) -> Written:
    """``dtype``: what the column of the framework is headed with; a number kept in another says so."""
    formula, numbers, result = TEXT.symbols(line.formula), TEXT.numbers(line.formula), short(line.value)
    return Written(
        symbol=line.symbol,
        formula=formula,
        numbers="" if numbers in (formula, result) else numbers,
        result="" if result == formula else result,
        mathml=f"{MATHML.symbol(line.symbol)}<mo>=</mo>{MATHML.symbols(line.formula)}",
        reference=digits(line.value),
        framework="" if line.framework is None else digits(line.framework, line.stored),
        ulps=distance(line.ulps) + ("" if line.stored == dtype or line.ulps is None else f" {line.stored}"),
    )


def about(trace: Trace) -> list[str]:
    """Paragraphs that say what the page shows."""
    paragraphs = [
        f"{trace.optimizer}; {trace.letter} is {trace.element}; row {trace.row} of each batch is followed. "
        f"Inserted numbers have 5 digits; all digits are beside them."
    ]
    if trace.refusal:
        paragraphs.append(f"{trace.framework} has no such run ({trace.refusal}): the reference alone.")
    else:
        paragraphs.append(
            f"reference: float64. {trace.framework}: {trace.dtype}, formulation {trace.formulation}. "
            "ulp: how many numbers of the dtype the one is from the other."
        )
    return paragraphs


def where(step: Step) -> str:
    """The epoch and the rows of a step, in words."""
    rows = ", ".join(str(row.number) for row in step.rows)
    left_out = len(step.batch) - len(step.rows)
    return f"epoch {step.epoch}, rows {rows}{f' and {left_out} more' if left_out else ''} of the data"


def legend(step: Step) -> str:
    """The numbers in effect at a step: ``η = 0.1, λ = 0.2``."""
    return ", ".join(f"{symbol} = {short(value)}" for symbol, value in step.hyper.items())


def columns(trace: Trace) -> list[str]:
    """The headings of the table of rows."""
    theirs = [] if trace.refusal else [f"r, {trace.framework}", "ulp"]
    return ["row", "x", "ŷ", "y", "r = ŷ − y", *theirs, "δ = ∂L/∂ŷ", "δ·x"]


def cells(row: TraceRow, trace: Trace) -> list[str]:
    """The cells of one row of that table."""
    theirs = [] if trace.refusal else ["" if row.framework is None else short(row.framework), distance(row.ulps)]
    numbers = [short(x) for x in (row.x, row.output, row.target, row.residual, row.upstream, row.share)]
    return [str(row.number), *numbers[:4], *theirs, *numbers[4:]]
