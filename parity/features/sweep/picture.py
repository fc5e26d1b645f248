"""The picture of a sweep: what each rule chooses, the losses below it, and what λ does to the weights, against λ."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from parity.features.sweep.beside import Beside
from parity.features.sweep.marks import Mark
from parity.features.sweep.run import Sweep
from parity.features.sweep.words import RULES, middle, number
from parity.pictures import COLOURS, INK, legend_below, log_scale, new_picture
from refimpl.types import Array

BLUE, RED, GREEN = COLOURS[:3]
SIDE = {
    "train_loss": "training loss",
    "norm": "‖w‖₂",
    "degrees_of_freedom": "effective degrees of freedom of ridge",
    "ridge_distance": "‖w − w_ridge‖₂, distance to the ridge solution",
}
"""The panels on the right."""
LOOKS_AT = {"first": BLUE, "validation": BLUE, "truth": GREEN}
"""A rule has the colour of the curve that it looks at; the others look at the ridge solution."""


def picture(sweep: Sweep, marks: Sequence[Mark], beside: Beside | None = None) -> Figure:
    """What each rule chooses above the losses, and beside them what λ does to the weights."""
    named = sweep.curves.named()
    side = [name for name in SIDE if name in named]
    losses = "validation_loss" in named
    left = ["rules"] * bool(marks) + ["losses"] * (len(side) - bool(marks))
    layout: list[Any] = [[a, b] for a, b in zip(left, side, strict=True)] if losses else [[name] for name in side]
    many = f"{len(sweep.seeds)} seeds" if len(sweep.seeds) > 1 else f"seed {sweep.seeds[0]}"
    title = f"{sweep.experiment.name}: λ of the {sweep.kind} penalty, {len(sweep.grid.values)} values, {many}"
    figure = new_picture(11.5 if losses else 6.5, 1 + 1.75 * len(layout), title, layout="constrained")
    axes: dict[str, Any] = figure.subplot_mosaic(layout, sharex=True, width_ratios=[1.35, 1] if losses else None)
    for axis in axes.values():
        axis.grid(True, color="#dddddd", lw=0.6)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_xscale(sweep.grid.scale)
        axis.set_xlim(*sweep.grid.values[[0, -1]])
        axis.tick_params(labelbottom=False)
    for name in side:
        axes[name].set_title(SIDE[name], fontsize=10, loc="left")
        _curve(axes[name], sweep, name, *((INK, "--") if name == "degrees_of_freedom" else (BLUE, "-")))
        if name == "norm" and "ridge_norm" in named:
            axes[name].set_title("‖w‖₂; dashed: of the ridge solution", fontsize=10, loc="left")
            _curve(axes[name], sweep, "ridge_norm", INK, "--", band=False)
    _log_where_wide(axes.get("train_loss"), axes.get("ridge_distance"), axes.get("norm"))
    if losses:
        _losses(axes["losses"], sweep, beside)
    if "rules" in axes:
        _rules(axes["rules"], axes["losses"], marks)
    for axis in {side[-1]: axes[side[-1]], **({"losses": axes["losses"]} if losses else {})}.values():
        axis.set_xlabel("λ")
        axis.tick_params(labelbottom=True)
    _show_divergence(axes.values(), sweep)
    legend_below(figure, axes["losses" if losses else side[0]], columns=3)
    return figure


def _losses(axis: Any, sweep: Sweep, beside: Beside | None) -> None:
    named = sweep.curves.named()
    many = "median, quartiles and range" if len(sweep.seeds) > 1 else ""
    _curve(axis, sweep, "validation_loss", BLUE, "-", label=f"trained, validation rows{': ' if many else ''}{many}")
    if "expected_loss" in named:
        _curve(axis, sweep, "expected_loss", GREEN, "-", band=False, label="trained, expected on new rows")
    if "ridge_expected_loss" in named:
        _curve(
            axis,
            sweep,
            "ridge_expected_loss",
            INK,
            "--",
            band=False,
            label="ridge solution, expected on new rows",
        )
    if beside is not None and beside.validation_loss is not None:
        some = np.flatnonzero(~sweep.diverges)[:: max(1, len(sweep.grid.values) // 12)]
        medians = np.median(beside.validation_loss, axis=0)
        axis.plot(
            sweep.grid.values[some], medians[some], "o", mfc="none", color=RED, ms=7, label=f"torch {beside.dtype}"
        )
    axis.set_title("loss without the penalty", fontsize=10, loc="left")
    _log_where_wide(axis)


def _curve(axis: Any, sweep: Sweep, name: str, colour: str, style: str, *, band: bool = True, label: str = "") -> None:
    """The median over the seeds where none diverges, with quartiles and range; a λ between two that do is a point."""
    steady = np.flatnonzero(~sweep.diverges)
    x, values = sweep.grid.values, sweep.curves.named()[name]
    for i, piece in enumerate(np.split(steady, np.flatnonzero(np.diff(steady) > 1) + 1)):
        low, lower, median, upper, high = np.quantile(values[:, piece], (0, 0.25, 0.5, 0.75, 1), axis=0)
        if band and len(sweep.seeds) > 1:
            axis.fill_between(x[piece], low, high, color=colour, alpha=0.12, lw=0)
            axis.fill_between(x[piece], lower, upper, color=colour, alpha=0.22, lw=0)
        marker = "o" if len(piece) == 1 else None
        axis.plot(x[piece], median, style, color=colour, lw=2, marker=marker, ms=5, label=None if i else label or None)


def _rules(axis: Any, losses: Any, marks: Sequence[Mark]) -> None:
    """A line for each rule: the median of its choices, their quartiles (thick) and their range (thin)."""
    for y, mark in enumerate(marks):
        colour = LOOKS_AT.get(mark.rule, INK)
        low, lower, upper, high = np.quantile(mark.strengths, (0, 0.25, 0.75, 1), method="nearest")
        axis.plot([low, high], [y, y], color=colour, lw=1)
        axis.plot([lower, upper], [y, y], color=colour, lw=5, alpha=0.45, solid_capstyle="butt")
        axis.plot(middle(mark.strengths), y, "o", color=colour, ms=7)
        losses.axvline(middle(mark.strengths), color=colour, lw=1, ls=":")
        left, right = axis.get_xlim()
        if not left <= middle(mark.strengths) <= right:  # of the prior, which need not be in the range
            below = middle(mark.strengths) < left
            place = {"transform": axis.get_yaxis_transform(), "ha": "left" if below else "right", "va": "center"}
            text = f"{'← ' if below else ''}{number(middle(mark.strengths))}{'' if below else ' →'}"
            axis.text(0.01 if below else 0.99, y, text, color=colour, fontsize=9, **place)
    axis.set_yticks(range(len(marks)), [RULES[mark.rule] for mark in marks], fontsize=9)
    axis.set_ylim(len(marks) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.set_title("the λ that each rule chooses: median (dotted below), quartiles, range", fontsize=10, loc="left")


def _log_where_wide(*axes: Any) -> None:
    """A log axis where the largest is more than 30 times the smallest."""
    for axis in axes:
        if axis is None:
            continue
        y: Array = np.concatenate([np.asarray(line.get_ydata(), float) for line in axis.lines])
        y = y[np.isfinite(y) & (y > 0)]
        if y.size and y.max() > 30 * y.min():
            log_scale(axis)


def _show_divergence(axes: Collection[Any], sweep: Sweep) -> None:
    """The range of the λ of which the run of some seed diverges, shaded from midway between two values on."""
    if not np.any(sweep.diverges):
        return
    values, where = sweep.grid.values, np.flatnonzero(sweep.diverges)
    middle = np.sqrt if sweep.grid.scale == "log" and values[0] > 0 else None
    between = middle(values[:-1] * values[1:]) if middle else (values[:-1] + values[1:]) / 2
    edges = np.concatenate([values[:1], between, values[-1:]])
    first, last = edges[where[0]], edges[where[-1] + 1]
    for axis in axes:
        axis.axvspan(first, last, color="#b00020", alpha=0.15, lw=0, label="diverges")
