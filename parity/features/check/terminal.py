"""A diagnosis as text: verdict, what was measured, findings, what to change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from parity.output import STYLE

if TYPE_CHECKING:
    from parity.explain.effects import Effects
    from parity.explain.finding import Diagnosis, Finding


def print_diagnosis(target: str, diagnosis: Diagnosis, console: Console) -> None:
    """Top to bottom: what it is, why, and what each difference did."""
    against = f" against {escape(diagnosis.against)}" if diagnosis.against else ""
    console.print(f"[bold]{escape(target)}[/]{against}", highlight=False)
    colour = STYLE[diagnosis.verdict]
    console.print(f"[{colour}]{diagnosis.verdict}[/]: {escape(diagnosis.text)}", highlight=False)
    if diagnosis.links or diagnosis.family:
        console.print("\n[bold]Measured, step by step[/]")
    for link in diagnosis.links:
        text = f"{link.name}: {escape(link.text)}"
        _indented(console, f"[red]{text}[/]" if link.as_asked is False else text)
    if diagnosis.family:
        _indented(console, f"optimizer: {escape(diagnosis.family)}")
    if diagnosis.findings:
        console.print("\n[bold]Findings[/]")
    for number, finding in enumerate(diagnosis.findings, 1):
        _print_finding(number, finding, console)
    if diagnosis.patterns:
        console.print("\n[bold]Where the errors are[/]")
    for pattern in diagnosis.patterns:
        _indented(console, escape(pattern.text))
    if diagnosis.effects is not None:
        did = diagnosis.effects
        values = f"{did.asked:.4g} as asked, {did.executed:.4g} here, {did.ratio:.4g} times"
        console.print(f"\n[bold]What each did[/] to {did.quantity}: {values}", highlight=False)
        console.print(_effects(did))
    for note in diagnosis.notes:
        console.print(f"[dim]Note: {escape(note)}[/]", highlight=False)


def _print_finding(number: int, finding: Finding, console: Console) -> None:
    console.print(f"  {number}. [bold]{escape(finding.id)}[/]", highlight=False)
    lines = [finding.text, f"evidence: {finding.evidence}"]
    lines += [f"change:   {finding.change}"] if finding.change else []
    if finding.alike:
        lines += [f"or:       {text} ({id})" for id, text in finding.alike.items()]
        lines.append(f"          which this run cannot tell apart; told apart by: {finding.probe}")
    for line in lines:
        _indented(console, escape(line), 5)


def _effects(effects: Effects) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("difference")
    table.add_column("alone", justify="right")
    table.add_column("share of the whole", justify="right")
    whole = math.log(effects.ratio)
    for effect in effects.each:
        share = f"{effect.share / whole:.1%}" if abs(whole) > 1e-12 else "–"
        table.add_row(escape(effect.name), f"× {effect.alone:.4g}", share)
    return table


def _indented(console: Console, text: str, by: int = 2) -> None:
    console.print(Padding(text, (0, 0, 0, by), expand=False), highlight=False)
