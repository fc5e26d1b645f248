"""The report as a table for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parity.output import STYLE

if TYPE_CHECKING:
    from parity.features.run.results import Reference, Report, Run


def print_report(report: Report, console: Console) -> None:
    """A table per experiment: the reference's row, then one row per run; below it what disagrees."""
    for reference in report.references:
        runs = [one for one in report.runs if one.experiment is reference.experiment]
        console.print(_table(reference, runs))
        if line := _divergence(reference):
            console.print(line, soft_wrap=True)
        for one in runs:
            if one.verdict.name != "agree":
                colour = STYLE[one.verdict.name]
                line = f"  [{colour}]{one.verdict.name}[/] {escape(str(one.setting))}: {escape(one.verdict.text)}"
                console.print(line, soft_wrap=True)
                if one.repro:
                    console.print(f"    reproduce with: python {escape(str(one.repro))}", soft_wrap=True)
        console.print()
    if any(one.used is not None for one in report.runs):
        console.print("used: the largest error ÷ its tolerance; correct code uses up to 1, and above 1 it disagrees")
    counts = ", ".join(f"{number} {name}" for name, number in report.counts.items())
    versions = ", ".join(f"{name} {value}" for name, value in report.environment.items())
    console.print(f"{len(report.runs)} runs: {counts}")
    console.print(f"[dim]{escape(versions)}[/]")
    if report.folder:
        console.print(f"Results: {escape(str(report.folder))} (report.json, pictures, trajectories)", soft_wrap=True)


FAR = 1e3
"""How many times its start a training loss must have risen to be said to."""


def _divergence(reference: Reference) -> str:
    """That the mathematics itself grows, which torch may well agree with."""
    losses = reference.trajectory.train_loss[:, 0]
    if losses[-1] <= FAR * losses[0]:
        return ""
    optimizers = reference.experiment.optimizers.values()
    where = f"; see parity stability {escape(reference.experiment.name)}" if all(map(_is_sgd, optimizers)) else ""
    rises = f"{_number(losses[0])} to {_number(losses[-1])}"
    return f"  the training loss of the reference rises from {rises}{where}"


def _is_sgd(optimizer: object) -> bool:
    return type(optimizer).__name__ == "SGD"


def _table(reference: Reference, runs: list[Run]) -> Table:
    experiment = reference.experiment
    title = f"{experiment.name}: {experiment.title}" if experiment.title else experiment.name
    title = f"{escape(title)}\n[not bold]data: {escape(reference.data)}[/]"
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("run", "train loss", "valid. loss", "‖w‖₂", "½‖w‖²", "to ridge", "digits", "used", "verdict"):
        table.add_column(column, justify="left" if column in ("run", "verdict") else "right", no_wrap=True)
    t = reference.trajectory
    table.add_row(
        "reference float64",
        *_values(t),
        _number(reference.ridge_distance),
        "",
        "",
        "",
        style="italic",
        end_section=True,
    )
    for one in runs:
        name = one.verdict.name
        values = _values(one.trajectory) if one.trajectory else [""] * 4
        used = "" if one.used is None else f"{one.used:.2f}" if one.used < 10 else f"{one.used:.1e}"
        digits = "" if one.digits is None else "all" if one.digits == math.inf else f"{one.digits:.1f}"
        row = [*values, _number(one.ridge_distance), digits, used, f"[{STYLE[name]}]{name}[/]"]
        table.add_row(escape(str(one.setting)), *row)
    return table


def _values(t: object) -> list[str]:
    from refimpl.trajectory import Trajectory

    assert isinstance(t, Trajectory)
    norm = float(t.norm[-1, 0])
    validation = None if t.validation_loss is None else float(t.validation_loss[-1, 0])
    return [_number(float(t.train_loss[-1, 0])), _number(validation), _number(norm), _number(norm * norm / 2)]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
