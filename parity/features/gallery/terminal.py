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
    """Name, source and title of each."""
    table = Table(box=None)
    for column in ("name", "source", "what it is"):
        table.add_column(column)
    for experiment in experiments:
        table.add_row(experiment.name, experiment.source, escape(experiment.title))
    console.print(table)
