"""A comparison as text: the verdict, what differs, each tensor, and what each run is beside the experiment."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parity.features.check.terminal import print_diagnosis
from parity.features.compare.compare import Comparison, Difference
from parity.features.compare.words import element, explained, moment, text_of
from parity.output import STYLE


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Top to bottom: where they part, why, how far each tensor is apart, and what is to be known."""
    for letter, place in (("A", comparison.a), ("B", comparison.b)):
        console.print(f"{letter}: [bold]{escape(place)}[/]", highlight=False, soft_wrap=True)
    colour = STYLE[comparison.verdict]
    console.print(f"[{colour}]{comparison.verdict}[/]: {escape(text_of(comparison))}", highlight=False)
    for line in explained(comparison):
        console.print(f"  {escape(line)}", highlight=False)
    console.print(_table(comparison))
    for note in comparison.notes:
        console.print(f"[dim]Note: {escape(note)}[/]", highlight=False)
    for place, diagnosis in zip((comparison.a, comparison.b), comparison.diagnoses, strict=False):
        console.print()
        print_diagnosis(place, diagnosis, console)


def _table(comparison: Comparison) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, side in (("tensor", "left"), ("numbers", "right"), ("part", "left")):
        table.add_column(name, justify=side)  # type: ignore[arg-type]  # a literal
    table.add_column("largest relative difference")
    table.add_column("at the end")
    for one in comparison.tensors:
        parts = f"{moment(one.first.step)}, {element(one.first)}" if one.first else "never"
        largest, last = _relative(one.largest), f"{one.last.relative:.2g}"
        table.add_row(escape(one.name), f"{one.numbers:,}", escape(parts), escape(largest), last)
    return table


def _relative(difference: Difference) -> str:
    if not difference.relative:
        return "0"
    return f"{difference.relative:.2g} {moment(difference.step)}, {element(difference)}"
