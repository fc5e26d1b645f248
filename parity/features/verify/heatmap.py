"""The matrix as one picture: optimizer × implementation × dtype, worst verdict and largest error ÷ tolerance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from parity.features.verify.document import (
    DTYPES,
    IMPLEMENTATIONS,
    LOOKS,
    Cell,
    Verdict,
    VerifyDocument,
    cells,
    in_order,
    number,
    read,
)
from parity.pictures import INFINITE, in_lines, legend_of, new_picture, plain, save, width_of

BOLD = 1.15  # how much wider bold letters are
GAP = 0.35  # between implementations, in cells
CELL = 0.47  # inches
NAME, OPTIMIZER = 11.5, 11  # points
SHORT = {
    "float64": "f64",
    "float32": "f32",
    "bfloat16": "bf16",
    "float16": "f16",
    "complex64": "c64",
    "complex128": "c128",
}


def draw(document: Mapping[str, Any], path: Path) -> Path:
    """Write the picture as PNG."""
    return save(picture(read(document)), path)


def picture(report: VerifyDocument) -> Figure:
    """One square per cell: its colour and sign are the worst verdict, its number the largest share, its shade also."""
    summaries = cells(report.cases, "optimizer", "device", "implementation", "dtype")
    several = len({one.device for one in report.cases}) > 1
    optimizers = list(dict.fromkeys(one.optimizer for one in report.cases))
    places, width = _places(report, several)
    height = len(optimizers)
    margin = 0.6 + max((width_of(plain(optimizer), OPTIMIZER) for optimizer in optimizers), default=0)
    title = "worst verdict and largest error ÷ tolerance (1 is the limit; correct code uses up to 1)"
    figure = new_picture(max(margin + CELL * width, 4.5), 1.7 + 0.44 * height, title, layout="constrained")
    axis = figure.subplots()
    axis.set_xlim(-0.05, width + 0.05)
    axis.set_ylim(height + 0.05, -1.5)
    for row, optimizer in enumerate(optimizers):
        for column, x in places.items():
            _draw_cell(axis, x, row, summaries.get((optimizer, *column)))
    for (device, implementation, dtype), x in places.items():
        axis.text(x + 0.5, -0.15, SHORT.get(dtype, dtype), ha="center", va="bottom", fontsize=10, color="#444444")
        group = [place for column, place in places.items() if column[:2] == (device, implementation)]
        if x == group[0]:
            middle = (group[0] + group[-1] + 1) / 2
            name = _name(device, implementation, several)
            axis.text(middle, -0.85, name, ha="center", va="bottom", fontsize=NAME, weight="bold")
    axis.set_yticks([row + 0.5 for row in range(height)], [in_lines(o, OPTIMIZER, margin) for o in optimizers])
    axis.tick_params(labelsize=OPTIMIZER)
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    present = [name for name in LOOKS if report.counts.get(name)]
    labels = [f"{LOOKS[name].sign}  {name} ({report.counts[name]:,})" for name in present]
    handles = [Patch(facecolor=_ground(name, 1.0), edgecolor="#888888") for name in present]
    legend_of(figure, dict(zip(labels, handles, strict=True)), columns=7)
    return figure


def _name(device: str, implementation: str, several: bool) -> str:
    return in_lines(f"{implementation}, {device}" if several else implementation, NAME, math.inf)


def _places(report: VerifyDocument, several: bool) -> tuple[dict[tuple[str, str, str], float], float]:
    """Where each column (device, implementation, dtype) begins, and the width of all, both in cells.

    The dtypes of one implementation stand side by side, below its name, which may be wider.
    """
    columns = {(one.device, one.implementation, one.dtype) for one in report.cases}
    places: dict[tuple[str, str, str], float] = {}
    x = 0.0
    for device in dict.fromkeys(one.device for one in report.cases):
        for implementation in in_order((one.implementation for one in report.cases), IMPLEMENTATIONS):
            dtypes = [d for d in in_order((c[2] for c in columns), DTYPES) if (device, implementation, d) in columns]
            name = width_of(_name(device, implementation, several), NAME) * BOLD / CELL
            width = max(len(dtypes), name)
            for i, dtype in enumerate(dtypes):
                places[device, implementation, dtype] = x + (width - len(dtypes)) / 2 + i
            x += width + GAP if dtypes else 0
    return places, max(x - GAP, 1.0)


def _draw_cell(axis: Any, x: float, y: float, cell: Cell | None) -> None:
    if cell is None:
        axis.text(x + 0.5, y + 0.5, "·", ha="center", va="center", fontsize=8, color="#aaaaaa")
        return
    look, over = LOOKS[cell.verdict], cell.verdict == "agree" and (cell.used or 0.0) > 1
    letters = "white" if over else look.text
    if cell.verdict == "unsupported":
        box = Rectangle((x, y), 1, 1, lw=1.2, hatch="////", facecolor="#f1f2f4", edgecolor="#d5d8dd")
    else:
        ground = INFINITE if over else _ground(cell.verdict, cell.used or 0.0)
        box = Rectangle((x, y), 1, 1, lw=1.2, facecolor=ground, edgecolor="white")
    axis.add_patch(box)
    used = number(cell.used)
    axis.text(x + 0.5, y + (0.3 if used else 0.5), look.sign, ha="center", va="center", fontsize=10.5, color=letters)
    axis.text(x + 0.5, y + 0.72, used, ha="center", va="center", fontsize=9.5, color=letters)


def _ground(verdict: Verdict, used: float) -> tuple[float, float, float]:
    """Agreement is the deeper the nearer it is to the limit; what only informs stays behind what fails."""
    depth = {"agree": 0.14 + 0.5 * used, "undecidable": 0.5}.get(verdict, 1.0)
    red, green, blue = (1 + depth * (part - 1) for part in to_rgb(LOOKS[verdict].colour))
    return red, green, blue
