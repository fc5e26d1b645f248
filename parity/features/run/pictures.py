"""The pictures of a report: losses, weight norms, and how much of the tolerance was used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from parity.errors import InputError, check_name
from parity.pictures import (
    COLOURS,
    INK,
    PANEL,
    colours,
    draw_shares,
    fix_margins,
    legend_below,
    log_axis,
    log_scale,
    new_figure,
    save,
)
from refimpl.penalties import L2

if TYPE_CHECKING:
    from parity.features.run.results import Reference, Report, Run

GROUPS = {
    "update": "weights after the step",
    "state": "optimizer state",
    "gradient": "gradient",
    "loss": "losses",
    "norm": "‖w‖₂",
}
KINDS = {group: (group,) for group in GROUPS} | {
    "gradient": ("gradient", "gradient off span"),
    "loss": ("loss", "objective", "train loss", "validation loss"),
}


def draw_all(report: Report, folder: Path) -> list[Path]:
    """Every picture into ``folder``: two per family of experiments, two per experiment."""
    paths = []
    for name, references in families(report.references).items():
        runs = [one for one in report.runs if one.experiment in [r.experiment for r in references]]
        paths.append(save(losses(name, references, runs), folder / f"{name}--losses.png"))
        paths.append(save(norms(name, references, runs), folder / f"{name}--norm.png"))
    for reference in report.references:
        runs = [r for r in report.runs if r.experiment is reference.experiment and r.verdict.comparisons]
        if runs:
            picture = tolerance(reference.experiment.name, runs)
            paths.append(save(picture, folder / f"{reference.experiment.name}--tolerance.png"))
            picture = free_runs(reference.experiment.name, runs)
            paths.append(save(picture, folder / f"{reference.experiment.name}--free-run.png"))
    return paths


def draw(report: Report, what: str, experiment: str) -> Figure:
    """One of the pictures. Raises :class:`InputError` where there is none."""
    what = check_name("what", what, ("losses", "norm", "tolerance", "free-run"))
    name = check_name("experiment", experiment or report.references[0].experiment.name, _names_of(report.references))
    if what in ("losses", "norm"):
        family, references = next(
            (family, some) for family, some in families(report.references).items() if name in _names_of(some)
        )
        runs = [one for one in report.runs if one.experiment.name in _names_of(references)]
        return losses(family, references, runs) if what == "losses" else norms(family, references, runs)
    runs = [one for one in report.runs if one.experiment.name == name and one.verdict.comparisons]
    if not runs:
        raise InputError(f"{name}: no run was judged, so there is nothing to draw; print the report to see why")
    return tolerance(name, runs) if what == "tolerance" else free_runs(name, runs)


def families(references: Iterable[Reference]) -> dict[str, list[Reference]]:
    """Experiments that differ in their penalties only, by the part of the name that they share."""
    groups: list[list[Reference]] = []
    for reference in references:
        core = _core(reference)
        same = next((group for group in groups if _core(group[0]) == core), None)
        if same is None:
            groups.append([reference])
        else:
            same.append(reference)
    by_name = {group[0].experiment.name: group for group in groups if len(group) == 1}
    for group in groups:
        if len(group) > 1:
            name = _shared_name([r.experiment.name for r in group])
            by_name[name if name not in by_name else group[0].experiment.name] = group
    return by_name


def _names_of(references: Iterable[Reference]) -> list[str]:
    return [reference.experiment.name for reference in references]


def _core(reference: Reference) -> Any:
    return replace(reference.experiment, name="family", title="", source="", penalties=())


def _shared_name(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    prefix = names[0]
    while not all(name.startswith(prefix) for name in names):
        prefix = prefix[:-1]
    return prefix.removesuffix("-lam").rstrip("-") or names[0]


LARGEST = 1e100
"""Of what is drawn: an axis cannot reach much farther, and all else would be a line at its bottom."""


def penalty_label(reference: Reference) -> str:
    """``λ = 3``, or the penalties by name."""
    penalties = reference.experiment.penalties
    if not penalties:
        return "λ = 0"
    if len(penalties) == 1 and isinstance(penalties[0], L2):
        return f"λ = {penalties[0].strength:g}"
    return " + ".join(type(penalty).__name__ for penalty in penalties)


def losses(name: str, references: list[Reference], runs: list[Run]) -> Figure:
    """Train and validation loss per epoch, on a log axis where any is above 0."""
    titles = {"train_loss": "training rows", "validation_loss": "validation rows"}
    shown = [which for which in titles if getattr(references[0].trajectory, which) is not None]
    figure, axes = new_figure(1, len(shown), f"{name}: loss without the penalty", layout=None)
    for axis, which in zip(axes, shown, strict=True):
        _overlay(axis, references, runs, which)
        log_axis(axis)
        axis.set_title(titles[which], fontsize=PANEL)
        axis.set_xlabel("epoch")
        axis.set_ylabel("loss")
    fix_margins(figure, *axes, legend=legend_below(figure, *axes, columns=len(references)))
    return figure


def norms(name: str, references: list[Reference], runs: list[Run]) -> Figure:
    """‖w‖₂ per step."""
    figure, axes = new_figure(1, 1, f"{name}: weight norm", layout=None)
    _overlay(axes[0], references, runs, "norm")
    axes[0].set_xlabel("step")
    axes[0].set_ylabel("‖w‖₂")
    axes[0].set_ylim(0, 1.05 * axes[0].get_ylim()[1])
    fix_margins(figure, *axes, legend=legend_below(figure, *axes, columns=len(references)))
    return figure


def _overlay(axis: Any, references: list[Reference], runs: list[Run], which: str) -> None:
    """The reference as a line, one run per dtype as marks on it, and every run that disagrees as a line of its own."""
    for colour, reference in zip(colours(len(references)), references, strict=True):
        values = getattr(reference.trajectory, which)[:, 0]
        what = penalty_label(reference)
        drawn = np.where(np.abs(values) < LARGEST, values, np.nan)
        ends = "" if np.all(np.isfinite(drawn)) else f", too large to draw from {int(np.argmin(np.isfinite(drawn)))} on"
        axis.plot(np.arange(len(values)), drawn, color=colour, lw=2, label=f"{what}, reference{ends}")
        mine = [one for one in runs if one.experiment is reference.experiment and one.trajectory is not None]
        right = _by_dtype([one for one in mine if one.verdict.name != "disagree"])
        every = max(1, len(values) // 12)
        for i, (dtype, some) in enumerate(right.items()):
            marked = np.arange(i * every // len(right), len(values), every)
            points = getattr(some[0].trajectory, which)[marked, 0]
            points = np.where(np.abs(points) < LARGEST, points, np.nan)
            marker = "osD^"[i % 4]
            axis.plot(marked, points, marker, mfc="none", color=colour, ms=7, label=f"{what}, torch {dtype}")
        for i, one in enumerate(one for one in mine if one.verdict.name == "disagree"):
            wrong = getattr(one.trajectory, which)[:, 0]
            wrong = np.where(np.abs(wrong) < LARGEST, wrong, np.nan)
            look = {"ls": ("--", "-.", ":")[i % 3], "marker": "x+1234"[i // 3 % 6], "markevery": every, "lw": 1}
            label = f"{what}, disagrees: {one.setting}"
            axis.plot(np.arange(len(wrong)), wrong, color=colour, label=label, **look)
    axis.xaxis.get_major_locator().set_params(integer=True)


def tolerance(name: str, runs: list[Run]) -> Figure:
    """Error ÷ tolerance per step, the largest over formulations and implementations; above 1 nothing correct can be."""
    by_dtype = _by_dtype(runs)
    figure, axes = new_figure(1, len(by_dtype), f"{name}: error ÷ tolerance at each step (1 is the limit)", layout=None)
    for axis, (dtype, some) in zip(axes, by_dtype.items(), strict=True):
        for colour, (group, label) in zip(COLOURS, GROUPS.items(), strict=False):
            steps, share = _largest_share(some, group)
            if len(steps):
                draw_shares(axis, steps, share, 1e-4, 1e12, color=colour, marker=".", lw=1, ms=3, label=label)
        axis.axhline(1, color=INK, lw=1.5, label="limit")
        log_scale(axis)
        axis.set_ylim(bottom=0.8e-4)
        axis.set_title(dtype, fontsize=PANEL)
        axis.set_xlabel("step")
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylabel("error ÷ tolerance")
    fix_margins(figure, *axes, legend=legend_below(figure, *axes, columns=6))
    return figure


def free_runs(name: str, runs: list[Run]) -> Figure:
    """How far the weights drift from the reference's when both run freely, with the band of correct implementations."""
    by_dtype = _by_dtype([one for one in runs if one.free_run is not None])
    settings = list(dict.fromkeys(_without_dtype(one) for some in by_dtype.values() for one in some))
    styles = ["-", "--", ":"] * len(settings)
    looks = dict(zip(settings, zip(colours(len(settings)), styles, strict=False), strict=False))
    figure, axes = new_figure(
        1, len(by_dtype), f"{name}: drift of the weights in free runs (shown, never deciding)", layout=None
    )
    for axis, (dtype, some) in zip(axes, by_dtype.items(), strict=True):
        drifts = np.concatenate([one.free_run.difference for one in some if one.free_run is not None])
        floor = min(drifts[drifts > 0], default=2.0**-53) / 2  # where equal runs are drawn
        for one in some:
            assert one.free_run is not None
            steps = np.arange(len(one.free_run.difference))
            label = _without_dtype(one)
            colour, style = looks[label]
            axis.plot(steps, np.maximum(one.free_run.difference, floor), style, color=colour, lw=1.5, label=label)
        bands = np.array([one.free_run.band for one in some if one.free_run is not None])
        highest = np.maximum(bands.max(axis=0), floor)
        steps = np.arange(len(highest))
        axis.fill_between(steps, floor, highest, color="#999999", alpha=0.25, lw=0, label="correct implementations")
        log_scale(axis)
        axis.set_title(dtype, fontsize=PANEL)
        axis.set_xlabel("step")
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylabel("‖θ − θ_ref‖ ÷ ‖θ_ref‖")
    fix_margins(figure, *axes, legend=legend_below(figure, *axes, columns=4))
    return figure


def _largest_share(runs: list[Run], group: str) -> tuple[Any, Any]:
    """Over all runs and all quantities of a group, step by step."""
    largest: dict[int, float] = {}
    for one in runs:
        for comparison in one.verdict.comparisons:
            if comparison.quantity.kind in KINDS[group]:
                for step, share in zip(comparison.steps, comparison.share, strict=True):
                    largest[int(step)] = max(largest.get(int(step), 0.0), float(share))
    steps = sorted(largest)
    return np.array(steps), np.array([largest[step] for step in steps])


def _by_dtype(runs: list[Run]) -> dict[str, list[Run]]:
    by_dtype: dict[str, list[Run]] = {}
    for one in runs:
        by_dtype.setdefault(one.setting.dtype, []).append(one)
    return by_dtype


def _without_dtype(run: Run) -> str:
    return f"{run.setting.device} {run.setting.formulation} {run.setting.implementation}"
