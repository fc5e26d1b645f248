"""A sweep as tables for people: some values of λ, what each rule chooses, and the answer in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parity.features.sweep.beside import Beside
from parity.features.sweep.curves import Curves
from parity.features.sweep.marks import Mark
from parity.features.sweep.run import Sweep
from parity.features.sweep.words import RULES, middle, number, percent, sentences
from refimpl.types import Array

SHOWN = 11
"""All values up to so many, else two fewer, evenly spaced."""
COLUMNS = {
    "train_loss": "train",
    "validation_loss": "valid.",
    "expected_loss": "expected",
    "norm": "‖w‖₂",
    "degrees_of_freedom": "d.o.f.",
    "ridge_distance": "to ridge",
}


def print_sweep(sweep: Sweep, marks: Sequence[Mark], beside: Beside | None, console: Console) -> None:
    """Medians over the seeds."""
    console.print(_values(sweep, marks))
    if marks:
        console.print(_choices(sweep, marks))
    for line in sentences(sweep, marks):
        console.print(escape(line), soft_wrap=True, highlight=False)
    if beside is not None:
        for text in beside.texts:
            console.print(f"[bold red]disagree[/] {escape(text)}", soft_wrap=True, highlight=False)
        counts = ", ".join(f"{count:,} {name}" for name, count in beside.counts.items())
        finite = beside.difference[np.isfinite(beside.difference)]
        largest = f"{finite.max():.2g}" if finite.size else "–"
        console.print(
            f"torch {beside.dtype}: {beside.verdicts.size:,} runs: {counts}; "
            f"largest relative difference of final losses and norms {largest}",
            soft_wrap=True,
            highlight=False,
        )


def _values(sweep: Sweep, marks: Sequence[Mark]) -> Table:
    seeds, values = sweep.seeds, sweep.grid.values
    many = f"medians of {len(seeds)} seeds" if len(seeds) > 1 else f"seed {seeds[0]}"
    table = _table(f"{sweep.experiment.name}: {len(values)} values of λ ({sweep.kind}), {many}")
    named = sweep.curves.named()
    shown = [name for name in COLUMNS if name in named]
    table.add_column("λ", justify="right")
    for name in shown:
        table.add_column(COLUMNS[name], justify="right", no_wrap=True)
    table.add_column("chosen by" if marks else "")
    chosen: dict[float, list[str]] = {}
    for mark in marks:
        chosen.setdefault(middle(mark.strengths), []).append(RULES[mark.rule])
    every = len(values) if len(values) <= SHOWN else SHOWN - 2
    some = {float(values[i]) for i in np.linspace(0, len(values) - 1, every).round().astype(int)}
    for strength in sorted(some | set(chosen)):
        index = np.flatnonzero(values == strength)
        if len(index):
            cells = _cells(sweep.curves, shown, int(index[0]), bool(sweep.diverges[index[0]]))
        else:
            assert sweep.at_prior is not None
            cells = _cells(sweep.at_prior, shown, 0, bool(np.any(sweep.at_prior.rose)))
        table.add_row(number(strength), *cells, ", ".join(chosen.get(strength, [])))
    return table


def _cells(curves: Curves, names: Sequence[str], column: int, diverges: bool) -> list[str]:
    if diverges:
        return ["diverges", *[""] * (len(names) - 1)]
    return [number(float(np.median(curves.named()[name][:, column]))) for name in names]


def _choices(sweep: Sweep, marks: Sequence[Mark]) -> Table:
    table = _table("What each rule chooses")
    table.add_column("rule")
    for column in ("λ", "in the seeds", "valid.", "expected", "ridge's", "costs", "at most"):
        table.add_column(column, justify="right", no_wrap=True)
    for mark in marks:
        spread = f"{number(mark.strengths.min())} to {number(mark.strengths.max())}"
        table.add_row(
            RULES[mark.rule],
            number(middle(mark.strengths)),
            spread if len(sweep.seeds) > 1 else "",
            _median(mark.validation_loss),
            _median(mark.expected_loss),
            _median(mark.ridge_expected_loss),
            percent(float(np.median(mark.excess))),
            percent(float(mark.excess.max())) if len(sweep.seeds) > 1 else "",
        )
    return table


def _median(values: Array | None) -> str:
    return "–" if values is None else number(float(np.median(values)))


def _table(title: str) -> Table:
    least = len(title)  # a narrow table would wrap its title
    return Table(
        title=escape(title),
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        min_width=least,
    )
