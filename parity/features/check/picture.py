"""The residual of a check: how far each step is from what was asked, and from what explains it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from parity.errors import InputError
from parity.pictures import COLOURS, new_figure, save

if TYPE_CHECKING:
    from parity.explain.finding import Diagnosis

LOWEST = 1e-3
"""Smaller shares are drawn here, so that equality has a place on a logarithmic axis."""
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
COLUMNS = 3
"""Labels in a row of the legend."""


def draw(target: str, diagnosis: Diagnosis, path: Path) -> Path:
    """The picture as a file."""
    return save(picture(target, diagnosis), path)


def picture(target: str, diagnosis: Diagnosis) -> Figure:
    """Largest error ÷ tolerance after each step, and for errors that nothing explains every element.

    Raises :class:`InputError` where no steps were compared.
    """
    if not diagnosis.residual:
        raise InputError(f"{target}: no step was compared, so there is nothing to draw; print the result to see why")
    maps = diagnosis.patterns[:1]
    title = f"{target}: error ÷ tolerance of each step (1 is the limit)"
    figure, axes = new_figure(1, 1 + len(maps), title, layout=None)
    axis = axes[0]
    for colour, marker, (label, share) in zip(COLOURS, "os^vD*", diagnosis.residual.items(), strict=False):
        drawn = np.clip(share, LOWEST, 1e18)
        axis.plot(np.arange(len(drawn)), drawn, marker=marker, ms=4, lw=1.2, color=colour, label=label)
    axis.axhline(1, color="#b00020", lw=1.5, label="limit")
    axis.set_yscale("log")
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(_power_of_ten)
    axis.set_ylim(bottom=LOWEST / 2)
    axis.set_xlabel("step")
    axis.set_ylabel("largest error ÷ tolerance")
    axis.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=COLUMNS, fontsize=9, frameon=False)
    for axis, pattern in zip(axes[1:], maps, strict=True):
        exponent = np.log10(np.clip(pattern.share, LOWEST, 1e18)).T
        image = axis.imshow(exponent, aspect="auto", origin="lower", cmap="cividis", interpolation="nearest")
        axis.set_title(f"{pattern.parameter}: every element", fontsize=11)
        axis.set_xlabel("step")
        axis.set_ylabel("element")
        axis.grid(False)
        figure.colorbar(image, ax=axis, label="log₁₀(error ÷ tolerance), unexplained above 0")
    # Margins of fixed size: to find the tightest ones takes as long as to draw twice more.
    rows, width = -(-len(labels) // COLUMNS), figure.get_figwidth()
    figure.subplots_adjust(0.75 / width, 0.14 + 0.05 * rows, 1 - 0.2 / width, 0.9, wspace=0.2)
    return figure


def _power_of_ten(value: float, position: Any) -> str:
    """``10⁻³``, in characters that need no setting of formulas."""
    del position
    return f"10{str(round(np.log10(value))).translate(RAISED)}"
