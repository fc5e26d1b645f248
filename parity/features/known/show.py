"""Known facts with their state on this machine, for people and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from parity.features.known.fact import Fact, Observation

STYLE = {"still so": "green", "no longer: remove me": "bold red", "cannot be shown here": "dim"}


def print_facts(observations: Mapping[Fact, Observation], console: Console) -> None:
    """A table of deviations, one of surprises, and the counts."""
    for kind, title in (("deviation", "Deviations: torch is wrong"), ("surprise", "Surprises")):
        table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("state", no_wrap=True)
        table.add_column("fact", no_wrap=True)
        table.add_column("what it is")
        for fact, observation in observations.items():
            if fact.kind == kind:
                state = f"[{STYLE[observation.state]}]{observation.state}[/]"
                table.add_row(state, fact.id, escape(fact.title))
        if table.row_count:
            console.print(table)
    states = [observation.state for observation in observations.values()]
    counts = ", ".join(f"{states.count(state)} {state}" for state in STYLE if state in states)
    console.print(f"{len(observations)} facts: {counts}; parity known ID shows one with its script")


def print_fact(fact: Fact, observation: Observation, console: Console) -> None:
    """One fact whole, its script at the end, so that it can be copied."""
    lines = {
        "kind": fact.kind,
        "expected": fact.expected,
        "executed": fact.executed,
        "seen in": f"torch {fact.versions}",
        "thread": fact.link or "none found",
        "here": f"{observation.state}: {observation.text}",
    }
    console.print(f"[bold]{escape(fact.id)}[/]: {escape(fact.title)}", soft_wrap=True)
    for name, text in lines.items():
        console.print(f"  {name:9} {escape(text)}", soft_wrap=True, highlight=False)
    console.print()
    console.print(fact.source, soft_wrap=True, markup=False, highlight=False, end="")
