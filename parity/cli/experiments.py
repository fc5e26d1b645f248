"""``parity list`` and ``parity show``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from parity.cli.words import load_all, load_one


def list_command() -> None:
    """List the experiments that come with the package."""
    from rich.console import Console
    from rich.table import Table

    from parity import gallery

    table = Table(box=None)
    for column in ("name", "source", "what it is"):
        table.add_column(column)
    for name in gallery.names():
        for experiment in load_all(name):
            table.add_row(name, experiment.source, experiment.title)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def show_command(name: Annotated[str, typer.Argument(help="A name from `parity list`, or a file.")]) -> None:
    """Print an experiment as the TOML that `parity run` reads: a file to start from."""
    from parity.experiment_file import to_toml

    print(to_toml(load_one(name)), end="")
