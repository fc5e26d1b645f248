"""The measurements of ``benchmarks.power`` as a summary for people at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.power.document import PowerDocument, Said, percent, read
from benchmarks.power.tables import alarms, caught, named, pairs, ranges, unnamed
from parity.features.verify.document import number

SHOWN = 20  # of a list; the others are in the files


def print_power(document: Mapping[str, Any], console: Console) -> None:
    """A table for each of the measurements, what is to be looked at, and one line that sums up."""
    report = read(document)
    for table in (alarms(report), caught(report), named(report), pairs(report), ranges(report)):
        if table.rows:
            shown = Table(title=table.title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
            for i, column in enumerate(table.columns):
                shown.add_column(column, justify="right" if i else "left", no_wrap=not i)
            for row in table.rows:
                shown.add_row(*map(escape, row))
            console.print(shown)
    _list(console, "false alarm", report.alarms)
    _list(console, "not caught", report.uncaught)
    _list(console, "error", report.errors)
    lines = [f"{', '.join(case.faults)} ({case.where}): {case.text}" for case in unnamed(report)]
    _lines(console, "cause not named first", lines)
    console.print(f"[dim]{escape(', '.join(f'{k} {v}' for k, v in report.environment.items()))}[/]", soft_wrap=True)
    console.print(_summary(report), soft_wrap=True)


def _list(console: Console, what: str, some: Sequence[Said]) -> None:
    _lines(console, what, [f"{one.id}: {one.text}" for one in some])


def _lines(console: Console, what: str, lines: Sequence[str]) -> None:
    for line in lines[:SHOWN]:
        console.print(f"[bold red]{what}[/] {escape(line)}", soft_wrap=True, highlight=False)
    if len(lines) > SHOWN:
        console.print(f"… and {len(lines) - SHOWN:,} more; the results have them all")


def _summary(report: PowerDocument) -> str:
    runs = sum(row.runs for row in report.correct)
    sharpest = max((row.used for row in report.correct), default=None)
    first, of = (sum(getattr(row, part) for row in report.caught) for part in ("first", "caught"))
    return (
        f"{len(report.alarms)} false alarms in {runs:,} correct runs (at most {number(sharpest)} of a tolerance used); "
        f"{report.mutants} mutants, {len(report.uncaught)} runs not caught; cause named first in {percent(first, of)}"
    )
