"""A trace in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from parity.features.trace.words import Written, about, cells, columns, legend, where, written

if TYPE_CHECKING:
    from parity.features.trace.content import Section, Step, Trace


def print_trace(trace: Trace, console: Console) -> None:
    """Step by step, section by section."""
    title = f": {trace.title}" if trace.title else ""
    console.print(f"[bold]{escape(trace.experiment)}[/]{escape(title)}", highlight=False)
    for sentence in about(trace):
        console.print(escape(sentence), highlight=False)
    for step in trace.steps:
        console.print(f"\n[bold reverse] Step {step.number} [/] {escape(where(step))}", highlight=False)
        console.print(escape(legend(step)), highlight=False)
        console.print(_rows(trace, step))
        for number, section in enumerate(step.sections, 1):
            console.print(_section(trace, f"{number}. {section.title}", section))


def _section(trace: Trace, title: str, section: Section) -> Table:
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, width=118)
    table.add_column(section.text, ratio=1)
    for column in ("reference", *(() if trace.refusal else (f"{trace.framework} {trace.dtype}", "ulp"))):
        table.add_column(column, justify="right", no_wrap=True, vertical="bottom")
    for line in (written(each, trace.dtype) for each in section.lines):
        theirs = () if trace.refusal else (line.framework, line.ulps)
        table.add_row(_text(line), line.reference, *theirs)
    return table


def _text(line: Written) -> Text:
    """The formula, and below it the numbers."""
    text = Text(f"{line.symbol} = {line.formula}", style="bold")
    for part in (line.numbers, line.result):
        if part:
            text.append(f"\n  = {part}", style="not bold")
    return text


def _rows(trace: Trace, step: Step) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns(trace):
        table.add_column(column, justify="right")
    for row in step.rows:
        style = "bold" if row.number == step.batch[trace.row] else ""
        table.add_row(*cells(row, trace), style=style)
    return table
