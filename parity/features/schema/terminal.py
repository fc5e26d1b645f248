"""The documents that have a schema, as a table for people."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table


def print_documents(documents: Mapping[str, tuple[int, str]], console: Console) -> None:
    """Name, version and the first sentence of each."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0))
    for column in ("document", "version", "what it is"):
        table.add_column(column)
    for name, (version, text) in documents.items():
        first = " ".join(text.split("\n\n")[0].split()).partition(". ")[0].rstrip(".").replace("``", "")
        table.add_row(name, str(version), escape(first))
    console.print(table)
    console.print("parity schema DOCUMENT prints its JSON Schema", highlight=False)
