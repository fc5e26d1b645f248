"""The residual of a check: how far each step is from what was asked, and from what explains it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from parity.pictures import COLOURS, legend_below, new_figure, save

if TYPE_CHECKING:
    from parity.explain.finding import Diagnosis

LOWEST = 1e-3
"""Smaller shares are drawn here, so that equality has a place on a logarithmic axis."""


def draw(target: str, diagnosis: Diagnosis, path: Path) -> Path | None:
    """Largest error ÷ tolerance after each step, and for errors that nothing explains every element."""
    if not diagnosis.residual:
        return None
    maps = diagnosis.patterns[:1]
    figure, axes = new_figure(1, 1 + len(maps), f"{target}: error ÷ tolerance of each step (1 is the limit)")
    axis = axes[0]
    for colour, marker, (label, share) in zip(COLOURS, "os^vD*", diagnosis.residual.items(), strict=False):
        drawn = np.clip(share, LOWEST, 1e18)
        axis.plot(np.arange(len(drawn)), drawn, marker=marker, ms=4, lw=1.2, color=colour, label=label)
    axis.axhline(1, color="#b00020", lw=1.5, label="limit")
    axis.set_yscale("log")
    axis.set_ylim(bottom=LOWEST / 2)
    axis.set_xlabel("step")
    axis.set_ylabel("largest error ÷ tolerance")
    axis.xaxis.get_major_locator().set_params(integer=True)
    legend_below(figure, axis, columns=3)
    for axis, pattern in zip(axes[1:], maps, strict=True):
        exponent = np.log10(np.clip(pattern.share, LOWEST, 1e18)).T
        image = axis.imshow(exponent, aspect="auto", origin="lower", cmap="cividis", interpolation="nearest")
        axis.set_title(f"{pattern.parameter}: every element", fontsize=11)
        axis.set_xlabel("step")
        axis.set_ylabel("element")
        axis.grid(False)
        figure.colorbar(image, ax=axis, label="log₁₀(error ÷ tolerance), unexplained above 0")
    return save(figure, path)
