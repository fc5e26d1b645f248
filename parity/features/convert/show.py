"""A conversion with its derivation, its proof, and the table of all of them, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parity.features.convert.convert import Conversion, condition, notes, options_of, steps
from refimpl.conventions import CONVENTIONS
from refimpl.conventions.table import rows
from refimpl.objective import number

if TYPE_CHECKING:
    from parity.features.convert.prove.proof import Proof

STYLE = {"agree": "green", "disagree": "bold red", "undecidable": "yellow", "by formula": "yellow"}


def print_conversion(conversion: Conversion, console: Console) -> None:
    """The numbers, the derivation, what else there is to know."""
    result = ", ".join(f"{word} = {shown(value)}" for word, value in conversion.result.items())
    only = condition(conversion)
    result += f", {only}" if only else ""
    console.print(f"[bold]{conversion.target.name}[/]: [bold]{escape(result)}[/]\n", soft_wrap=True, highlight=False)
    lines = steps(conversion)
    width = max(len(label) for label, _ in lines)
    for label, formula in lines:
        console.print(f"  {label:{width}}  {escape(formula)}", soft_wrap=True, highlight=False)
    console.print(f"  {'':{width}}  {escape(conversion.target.call)}\n", soft_wrap=True, highlight=False)
    for note in notes(conversion):
        console.print(escape(note), soft_wrap=True, highlight=False)


def print_proof(proof: Proof, console: Console) -> None:
    """Print what was run, how near it came to the exact minimiser, and how near it had to."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("library", "what was done", "‖Δ(w, b)‖ ÷ ‖(w, b)‖", "allowed", "digits"):
        table.add_column(column)
    for one in (proof.source, proof.target):
        numbers = (
            ("–", "–", "–") if one.holds is None else (f"{one.distance:.1e}", f"{one.allowed:.1e}", _digits(one.digits))
        )
        table.add_row(one.library, escape(one.text), *numbers)
    console.print(table)
    console.print(f"[{STYLE[proof.state]}]{proof.state}[/]: {explained(proof)}", soft_wrap=True, highlight=False)


def explained(proof: Proof) -> str:
    """The state of a proof in words."""
    if proof.state == "disagree":
        wrong = [one.library for one in (proof.source, proof.target) if one.holds is False]
        return f"{' and '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} elsewhere than the exact minimiser"
    overflowed = [one.library for one in (proof.source, proof.target) if one.how == "run" and one.holds is None]
    if overflowed:
        return f"{' and '.join(overflowed)} came to no finite number"
    if proof.state == "undecidable":
        return "doubling the strengths would move the minimiser too little to be seen on any data drawn for it"
    if proof.state == "by formula":
        missing = [one.library for one in (proof.source, proof.target) if one.how != "run"]
        were = "was" if len(missing) == 1 else "were"
        return f"{' and '.join(missing)} {were} not run here, so this pair is not proven by running"
    return f"doubling the strengths would move the minimiser by {proof.seen:.2g}, relatively"


def print_pairs(proofs: Sequence[tuple[str, Proof]], console: Console) -> None:
    """Digits of agreement of each ordered pair, the worst over the penalties that both have."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title="Digits of agreement", title_justify="left")
    table.add_column("from ╲ to")
    for name in CONVENTIONS:
        table.add_column(name.replace("sklearn.", "sklearn\n").replace("MASS.", "MASS\n"), justify="right")
    for source in CONVENTIONS:
        table.add_row(source, *(_cell(proofs, source, target) for target in CONVENTIONS))
    console.print(table)
    states = [proof.state for _, proof in proofs]
    counts = ", ".join(f"[{STYLE[state]}]{states.count(state)} {state}[/]" for state in STYLE if state in states)
    console.print(f"{len(proofs)} conversions: {counts}; – no such penalty, f by its formula", highlight=False)
    evidence = {one.library: one for _, proof in proofs for one in (proof.source, proof.target)}
    for one in (evidence[name] for name in CONVENTIONS if name in evidence):
        recorded = f", which agree to {_digits(one.digits)} digits" if one.how == "recorded" else ""
        console.print(f"  {one.library:21} {escape(one.text)}{recorded}", soft_wrap=True, highlight=False)


def print_table(console: Console) -> None:
    """How each library writes its objective."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("library", "loss", "λ₁", "λ₂", "alpha of Ridge"):
        table.add_column(column, no_wrap=True)
    for row in rows():
        table.add_row(row.name, f"{row.loss} {row.choice}".strip(), row.lambda1, row.lambda2, row.alpha)
    console.print(table)
    console.print("J = loss + λ₁·‖w‖₁ + λ₂/2·‖w‖². Options of each, after --from:", highlight=False)
    for name, made in CONVENTIONS.items():
        options = " ".join(f"--{word}" for word in options_of(made))
        console.print(f"  {name:20} {options}", soft_wrap=True, highlight=False)


def shown(value: float | str) -> str:
    """A number with 15 digits, a word as it is."""
    return value if isinstance(value, str) else number(value)


def _digits(digits: float | None) -> str:
    return "–" if digits is None else f"{digits:.1f}"


def _cell(proofs: Sequence[tuple[str, Proof]], source: str, target: str) -> str:
    matching = [proof for _, proof in proofs if (proof.source.library, proof.target.library) == (source, target)]
    for state in ("disagree", "undecidable", "by formula"):
        if any(proof.state == state for proof in matching):
            return f"[{STYLE[state]}]{'f' if state == 'by formula' else state}[/]"
    return f"{min(proof.digits or 0.0 for proof in matching):.1f}" if matching else "–"
