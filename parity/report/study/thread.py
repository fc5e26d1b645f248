"""What the search for the thread's settings found, as tables, sentences and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from parity.study.thread.search import NEAR, Fit
from parity.study.thread.settings import STRENGTHS, TEST, TRAIN, Setting, Space

SHOWN = 10
NAMES = {
    "rows": "rows",
    "batch": "batch",
    "init": "initial weights",
    "rate": "η′",
    "ratio": "κ",
    "epochs": "epochs",
    "factor": "c′",
    "inside": "penalty in the training loss",
}
READING = (
    "The step is w ← w − η′(2/B·Σ rᵢxᵢ + κλw): κ = 1 is mean(r²) + λ/2·‖w‖² with η = η′; κ = 2 is mean(r²) + λ‖w‖² "
    "with η = η′, or ½·mean(r²) + λ/2·‖w‖² with η = 2η′; κ = 4 is ½·mean(r²) + λ‖w‖² with η = 2η′; the sum over a "
    "batch in place of the mean divides κ and η by B. Reported is c′·mean(r²)."
)


def print_thread(space: Space, fits: Sequence[Fit], console: Console) -> None:
    """The nearest settings, the nearest table beside the reported one, and what can be told."""
    columns = [*NAMES.values(), "nearest", "median", "training", "test", "in range"]
    console.print(
        _table(
            f"The {len(fits[:SHOWN])} settings nearest to the thread's table, of {tried(space):,}", columns, _rows(fits)
        )
    )
    console.print(READING, soft_wrap=True, highlight=False)
    console.print(
        f"How far, as a factor: of the nearest of {space.seeds} seeds, of the median seed, and its columns; of the 22 "
        "numbers, how many lie in the range of the seeds.",
        soft_wrap=True,
        highlight=False,
    )
    nearest = fits[0].nearest
    numbers = np.stack([STRENGTHS, TRAIN, nearest[0], TEST, nearest[1]], axis=1)
    columns = ["λ", "training, reported", "nearest", "test, reported", "nearest"]
    console.print(_table("The nearest table", columns, [[f"{x:.3g}" for x in row] for row in numbers]))
    console.print("A training loss of 2.36e-13 at λ = 0 stands for all that are no larger.", highlight=False)
    for line in conclusions(space, fits):
        console.print(line, soft_wrap=True, highlight=False)


def conclusions(space: Space, fits: Sequence[Fit]) -> list[str]:
    """Which settings all the near ones share, and which they do not tell."""
    ran = f"{len(fits)} settings that were run in {space.seeds} draws"
    rest = ["These are a part of the settings; `parity thread` tries more."] if tried(space) < tried(Space()) else []
    near = [fit.setting for fit in fits if fit.near]
    if not near:
        return [f"None of the {ran} comes within a factor of {NEAR} in any of them.", *rest]
    told: list[str] = []
    untold: list[str] = []
    for name, label in NAMES.items():
        values = sorted({getattr(one, name) for one in near})
        words = f"{label} {', '.join(_word(value) for value in values)}"
        (told if len(values) == 1 else untold).append(words)
    first = f"{len(near)} of the {ran} come within a factor of {NEAR} in some of them."
    return [
        first,
        f"All of them have: {'; '.join(told)}." if told else "They have nothing in common.",
        f"The table does not tell: {'; '.join(untold)}." if untold else "They differ in nothing.",
        *rest,
    ]


def tried(space: Space) -> int:
    return sum(len(space.settings(*layout)) for layout in space.layouts)


def to_json(space: Space, fits: Sequence[Fit]) -> str:
    """Schema 1; the settings that were kept, the nearest first."""
    document = {
        "schema": 1,
        "tried": tried(space),
        "seeds": space.seeds,
        "reported": {"strengths": STRENGTHS.tolist(), "training": TRAIN.tolist(), "test": TEST.tolist()},
        "nearest": fits[0].nearest.tolist(),
        "conclusions": conclusions(space, fits),
        "settings": [_entry(fit) for fit in fits],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)


def _entry(fit: Fit) -> dict[str, Any]:
    training, test = np.median(fit.columns, axis=0).tolist()
    far = {"nearest": float(fit.distances.min()), "median": float(np.median(fit.distances))}
    outside = [{"column": ("training", "test")[column], "strength": strength} for column, strength in fit.outside]
    return asdict(fit.setting) | far | {"training": training, "test": test, "near": fit.near, "outside": outside}


def _rows(fits: Sequence[Fit]) -> list[list[str]]:
    rows = []
    for fit in fits[:SHOWN]:
        far = [float(fit.distances.min()), float(np.median(fit.distances)), *np.median(fit.columns, axis=0).tolist()]
        settings = [_word(getattr(fit.setting, field.name)) for field in fields(Setting)]
        rows.append([*settings, *(f"{np.exp(x):.2f}" for x in far), str(2 * len(STRENGTHS) - len(fit.outside))])
    return rows


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    return table
