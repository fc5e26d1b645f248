"""The matrix as one picture: optimizer × implementation × dtype, worst verdict and largest error ÷ tolerance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from parity.features.verify.document import (
    DTYPES,
    IMPLEMENTATIONS,
    LOOKS,
    Cell,
    VerifyDocument,
    cells,
    in_order,
    number,
    read,
)
from parity.pictures import Picture, save

GAP = 0.35  # between implementations, in cells
LETTER = 0.22  # of an implementation's name, in cells: it may need more room than its columns
SHORT = {
    "float64": "f64",
    "float32": "f32",
    "bfloat16": "bf16",
    "float16": "f16",
    "complex64": "c64",
    "complex128": "c128",
}


def draw(document: Mapping[str, Any], path: Path) -> Path:
    """Write the picture as PNG. White ground, so that it reads the same on a light and on a dark page."""
    return save(picture(read(document)), path)


def picture(report: VerifyDocument) -> Figure:
    """One square per cell: its colour and sign are the worst verdict, its number the largest share, its shade also."""
    summaries = cells(report.cases, "optimizer", "device", "implementation", "dtype")
    several = len({one.device for one in report.cases}) > 1
    optimizers = list(dict.fromkeys(one.optimizer for one in report.cases))
    places = _places(report)
    width, height = max(places.values(), default=0) + 1, len(optimizers)
    figure = Picture(
        figsize=(1.6 + 0.47 * width, 1.9 + 0.44 * height), dpi=130, layout="constrained", facecolor="white"
    )
    FigureCanvasAgg(figure)
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
            name = f"{implementation}, {device}" if several else implementation
            axis.text(middle, -0.85, name, ha="center", va="bottom", fontsize=11.5, weight="bold")
    axis.set_yticks([row + 0.5 for row in range(height)], optimizers, fontsize=11)
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    figure.suptitle("worst verdict and largest error ÷ tolerance (1 is the limit)", fontsize=13, x=0.02, ha="left")
    _legend(figure, report)
    return figure


def _places(report: VerifyDocument) -> dict[tuple[str, str, str], float]:
    """Where each column (device, implementation, dtype) begins: the dtypes of one implementation side by side."""
    columns = {(one.device, one.implementation, one.dtype) for one in report.cases}
    places: dict[tuple[str, str, str], float] = {}
    x = 0.0
    for device in dict.fromkeys(one.device for one in report.cases):
        for implementation in in_order((one.implementation for one in report.cases), IMPLEMENTATIONS):
            dtypes = [d for d in in_order((c[2] for c in columns), DTYPES) if (device, implementation, d) in columns]
            width = max(len(dtypes), LETTER * len(implementation))
            for i, dtype in enumerate(dtypes):
                places[device, implementation, dtype] = x + (width - len(dtypes)) / 2 + i
            x += width + GAP if dtypes else 0
    return places


def _draw_cell(axis: Any, x: float, y: float, cell: Cell | None) -> None:
    if cell is None:
        axis.text(x + 0.5, y + 0.5, "·", ha="center", va="center", fontsize=8, color="#aaaaaa")
        return
    look = LOOKS[cell.verdict]
    if cell.verdict == "unsupported":
        box = Rectangle((x, y), 1, 1, lw=1.2, hatch="////", facecolor="#f1f2f4", edgecolor="#d5d8dd")
    else:
        # Agreement is the deeper the nearer it is to the limit; what only informs stays behind what fails.
        depth = {"agree": 0.14 + 0.5 * min(cell.used or 0.0, 1.0), "undecidable": 0.5}.get(cell.verdict, 1.0)
        box = Rectangle((x, y), 1, 1, lw=1.2, facecolor=_shade(look.colour, depth), edgecolor="white")
    axis.add_patch(box)
    used = number(cell.used)
    axis.text(x + 0.5, y + (0.3 if used else 0.5), look.sign, ha="center", va="center", fontsize=10.5, color=look.text)
    axis.text(x + 0.5, y + 0.72, used, ha="center", va="center", fontsize=9.5, color=look.text)


def _shade(colour: str, depth: float) -> tuple[float, float, float]:
    """From white (0) to the colour itself (1)."""
    red, green, blue = (1 + depth * (part - 1) for part in to_rgb(colour))
    return red, green, blue


def _legend(figure: Figure, report: VerifyDocument) -> None:
    present = [(name, report.counts[name]) for name in LOOKS if report.counts.get(name)]
    handles = [Patch(facecolor=LOOKS[name].colour, edgecolor="#888888") for name, _ in present]
    labels = [f"{LOOKS[name].sign}  {name} ({count:,})" for name, count in present]
    figure.legend(handles, labels, loc="outside lower center", ncols=7, fontsize=10.5, frameon=False)
