"""The residual of a check: how far each step is from what was asked, and from what explains it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from parity.errors import InputError
from parity.pictures import (
    INFINITE,
    INK,
    PANEL,
    WITHIN,
    colours,
    draw_shares,
    fix_margins,
    in_lines,
    legend_below,
    log_scale,
    new_figure,
    save,
)

if TYPE_CHECKING:
    from parity.explain.finding import Diagnosis

LOWEST, HIGHEST = 1e-3, 1e18
"""Smaller shares are drawn here, so that equality has a place on a logarithmic axis; and larger ones there."""
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
    axis, residual = axes[0], diagnosis.residual
    for colour, marker, (label, share) in zip(
        colours(len(residual)), "os^vD*" * len(residual), residual.items(), strict=False
    ):
        look = {"color": colour, "marker": marker, "ms": 4, "lw": 1.2, "label": label}
        draw_shares(axis, np.arange(len(share)), np.asarray(share), LOWEST, HIGHEST, **look)
    axis.axhline(1, color=INK, lw=1.5, label="limit")
    log_scale(axis)
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(_power_of_ten)
    axis.set_ylim(bottom=LOWEST / 2)
    axis.set_xlabel("step")
    axis.set_ylabel("largest error ÷ tolerance")
    axis.xaxis.get_major_locator().set_params(integer=True)
    titles = [in_lines(f"{pattern.parameter}: every element", PANEL, 3.4) for pattern in maps]
    for axis, pattern, text in zip(axes[1:], maps, titles, strict=True):
        _map(figure, axis, pattern.share)
        axis.set_title(text, fontsize=PANEL)
    fix_margins(figure, *axes, legend=legend_below(figure, axes[0], columns=COLUMNS))
    return figure


def _map(figure: Figure, axis: Any, share: Any) -> None:
    """Every element after every step: grey within its tolerance, the darker the further beyond it, ∞ in violet."""
    exponent = np.log10(np.clip(np.where(np.isfinite(share), share, np.inf), LOWEST, None)).T
    highest = max(1.0, float(np.max(exponent[np.isfinite(exponent)], initial=1.0)))
    shades = colormaps["YlOrRd"].with_extremes(under=WITHIN, over=INFINITE)
    image = axis.imshow(
        np.minimum(exponent, 2 * highest),
        aspect="auto",
        origin="lower",
        cmap=shades,
        vmin=0,
        vmax=highest,
        interpolation="nearest",
    )
    axis.set_xlabel("step")
    axis.set_ylabel("element")
    axis.grid(False)
    for ticks in (axis.xaxis, axis.yaxis):
        ticks.get_major_locator().set_params(integer=True)
    infinite = not np.isfinite(exponent).all()
    bar = figure.colorbar(image, ax=axis, extend="both" if infinite else "min")
    bar.set_label("log₁₀(error ÷ tolerance); grey: within" + (", violet: ∞" if infinite else ""))


def _power_of_ten(value: float, position: Any) -> str:
    """``10⁻³``, in characters that need no setting of formulas."""
    del position
    return f"10{str(round(np.log10(value))).translate(RAISED)}"
