"""The matrix as a summary for people at a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parity.features.verify.document import (
    DTYPES,
    FAILURES,
    LOOKS,
    Cell,
    Coverage,
    VerifyDocument,
    cells,
    in_order,
    in_words,
    number,
    read,
)

STYLE = {
    "disagree": "bold red",
    "error": "bold magenta",
    "fixed": "bold blue",
    "known": "yellow",
    "undecidable": "yellow",
    "agree": "green",
    "unsupported": "dim",
}
SHOWN = 20  # failures in full; the others are in the files


def print_matrix(document: Mapping[str, Any], console: Console) -> None:
    """The largest share per optimizer and dtype, what fails with its command to rerun, the coverage, the counts."""
    report = read(document)
    if report.cases:
        console.print(_table(report))
    _print_failures(report, console)
    console.print(_coverage(report.coverage), soft_wrap=True)
    versions = ", ".join(f"{name} {in_words(value)}" for name, value in report.environment.items())
    console.print(f"[dim]{escape(versions)}[/]", soft_wrap=True)
    counts = [f"[{STYLE[name]}]{report.counts[name]:,} {name}[/]" for name in LOOKS if report.counts.get(name)]
    console.print(f"{len(report.cases):,} cases: {', '.join(counts)}", soft_wrap=True)


def _table(report: VerifyDocument) -> Table:
    title = "largest error ÷ tolerance (correct code uses up to 1) and worst verdict"
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("optimizer", no_wrap=True)
    dtypes = in_order((one.dtype for one in report.cases), DTYPES)
    for dtype in dtypes:
        table.add_column(escape(dtype), justify="right", no_wrap=True)
    summaries = cells(report.cases, "optimizer", "dtype")
    for optimizer in dict.fromkeys(one.optimizer for one in report.cases):
        row = [summaries.get((optimizer, dtype)) for dtype in dtypes]
        table.add_row(escape(optimizer), *(_cell(cell) for cell in row))
    return table


def _cell(cell: Cell | None) -> str:
    return f"[{STYLE[cell.verdict]}]{number(cell.used)} {LOOKS[cell.verdict].sign}[/]" if cell else ""


def _print_failures(report: VerifyDocument, console: Console) -> None:
    failures = [one for name in FAILURES for one in report.cases if one.verdict == name]
    for one in failures[:SHOWN]:
        line = f"[{STYLE[one.verdict]}]{one.verdict}[/] {escape(one.id)}: {escape(one.text)}"
        console.print(line, soft_wrap=True, highlight=False)
        console.print(f"    rerun with: {escape(one.rerun)}", soft_wrap=True, highlight=False)
    if len(failures) > SHOWN:
        console.print(f"… and {len(failures) - SHOWN:,} more; the JSON, HTML and JUnit reports have them all")
    if failures:
        console.print()


def _coverage(coverage: Coverage) -> str:
    empty = len(coverage.rows) - coverage.covered
    line = f"coverage: {coverage.covered:,} of {len(coverage.rows):,} optimizer × situation × implementation × dtype"
    if empty:
        line += f"; {empty:,} without cases, "
        line += (
            f"[bold red]{coverage.unexplained:,} of them without a reason[/]"
            if coverage.unexplained
            else "each for a reason"
        )
    return line
