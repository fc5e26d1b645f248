"""The bridges at a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parity.features.bridges.bridge import Bridge, Computation
from parity.features.bridges.page import number


def print_bridges(bridges: Mapping[str, Bridge], console: Console) -> None:
    """Print a table of all bridges."""
    table = Table(box=None)
    table.add_column("id", no_wrap=True)
    table.add_column("bridge")
    for id, bridge in bridges.items():
        table.add_row(id, escape(bridge.title))
    console.print(table)
    console.print("parity bridge ID shows one: statement, numbers and picture")


def print_bridge(bridge: Bridge, evidence: Computation, console: Console) -> None:
    """Statement, both sides of each identity with the digits that they agree to, and what else is to be seen."""
    console.print(f"[bold]{escape(bridge.title)}.[/] {escape(bridge.statement)}", highlight=False)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("digits", justify="right")
    table.add_column("promised", justify="right")
    table.add_column("equal")
    table.add_column("computed twice")
    for identity in evidence.identities:
        style = "green" if identity.holds else "bold red"
        digits = f"[{style}]{identity.digits:.1f}[/]"
        table.add_row(digits, str(identity.promised), escape(identity.claim), escape("; ".join(identity.ways)))
    console.print(table)
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_column()
    facts.add_column(justify="right")
    for what, value in evidence.facts.items():
        facts.add_row(escape(what), number(value))
    console.print(facts)
