"""The experiments that come with the package, as a table for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from parity.experiment import Experiment


def print_experiments(experiments: Iterable[Experiment], console: Console) -> None:
    """Name and title of each, below the lesson or the purpose that it comes from."""
    table = Table(box=None)
    table.add_column("name")
    table.add_column("what it is")
    source = ""
    for experiment in experiments:
        if experiment.source != source:
            source = experiment.source
            table.add_row("", "")
            table.add_row("", f"[bold]{escape(source)}[/]")
        table.add_row(experiment.name, escape(experiment.title))
    console.print(table)
