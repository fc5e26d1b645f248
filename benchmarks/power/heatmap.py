"""The kill matrix as one picture: mutants, by kind, × checks × dtypes, and whether the cause was named first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmarks.power.document import PowerDocument, TrialReport, largest, read
from parity.pictures import INFINITE, WITHIN, legend_of, new_picture, plain, save, width_of

CHECKS = ("initial", "steps", "weight", "bias", "loss", "links")
HIGHEST = 18
"""log₁₀ of error ÷ tolerance with the deepest colour."""
BEYOND = 99.0
"""The number that stands for the logarithm of ∞."""
RIGHT, WRONG = "#00734f", "#b00020"


def draw(document: Mapping[str, Any], path: Path) -> Path:
    """Write the picture as PNG."""
    return save(picture(read(document)), path)


def picture(report: PowerDocument) -> Figure:
    """A line for each mutant, below the name of its kind; the largest share over its experiments in each square."""
    dtypes = list(dict.fromkeys(case.dtype for case in report.singles))
    rows = _rows(report.singles)
    margin = 0.7 + max((width_of(plain(row), 8.5) for row in rows), default=0)
    title = "log₁₀ of the largest error ÷ tolerance of each check, by fault"
    figure = new_picture(margin + 2.3 * len(dtypes), 2 + 0.2 * len(rows), title, layout="constrained")
    axes = figure.subplots(1, max(len(dtypes), 1), squeeze=False, sharey=True)[0]
    colours = colormaps["YlOrRd"].with_extremes(bad="white", under=WITHIN, over=INFINITE)
    for axis, dtype in zip(axes, dtypes, strict=False):
        some = [case for case in report.singles if case.dtype == dtype]
        values = np.array([[_level([c for c in some if c.faults == [row]], check) for check in CHECKS] for row in rows])
        image = axis.pcolormesh(values, cmap=colours, vmin=0, vmax=HIGHEST, edgecolors="white", lw=0.8)
        _write(axis, values)
        for y, row in enumerate(rows):
            text, colour = _mark([case for case in some if case.faults == [row]])
            axis.text(len(CHECKS) + 0.5, y + 0.5, text, ha="center", va="center", fontsize=8.5, color=colour)
        axis.set_xlim(0, len(CHECKS) + 1)
        axis.set_ylim(len(rows), 0)
        axis.set_xticks(np.arange(len(CHECKS) + 1) + 0.5, [*CHECKS, "cause"], rotation=90, fontsize=9)
        axis.xaxis.tick_top()
        axis.set_title(dtype, fontsize=11, weight="bold")
        axis.set_yticks(np.arange(len(rows)) + 0.5, rows, fontsize=8.5)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    for label in axes[0].get_yticklabels():
        label.set_weight("bold" if label.get_text() in {case.family for case in report.singles} else "normal")
    if dtypes and rows:
        bar = figure.colorbar(image, ax=list(axes), location="bottom", shrink=0.5, aspect=40, pad=0.01)
        bar.set_label("log₁₀(error ÷ tolerance)", fontsize=9)
    legend: dict[str, Any] = {
        "within the tolerance": Patch(fc=WITHIN),
        "∞: other steps, or a link not as asked": Patch(fc=INFINITE),
        "cause: ✓ named first, 2/4 in so many runs only, – not caught": Line2D([], [], lw=0),
    }
    legend_of(figure, legend, columns=2)
    return figure


def _rows(singles: Sequence[TrialReport]) -> list[str]:
    """The names of the kinds, each with its mutants below."""
    rows: dict[str, list[str]] = {}
    for case in singles:
        rows.setdefault(case.family, []).append(case.faults[0])
    return [row for family, faults in rows.items() for row in (family, *dict.fromkeys(faults))]


def _level(cases: Sequence[TrialReport], check: str) -> float:
    """log₁₀ of the share; −1 within the tolerance, nan where it was not judged."""
    share = largest(cases, check)
    if share is None:
        return math.nan
    return min(math.log10(share), BEYOND) if share > 1 else -1.0


def _write(axis: Any, values: Any) -> None:
    for (y, x), level in np.ndenumerate(values):
        if level >= 0:
            text = "∞" if level == BEYOND else f"{level:.0f}"
            colour = "white" if level > 0.6 * HIGHEST else "#222222"
            axis.text(x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=7.5, color=colour)


def _mark(cases: Sequence[TrialReport]) -> tuple[str, str]:
    """The sign and the colour of a mutant over its experiments."""
    caught = [case for case in cases if case.caught]
    if not caught:
        return ("–", "#777777") if cases else ("", "#777777")
    named = sum(case.outcome == "named" for case in caught)
    return ("✓", RIGHT) if named == len(caught) else (f"{named}/{len(caught)}", WRONG)
