"""The pictures of a report: losses, weight norms, and how much of the tolerance was used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from parity.errors import InputError
from refimpl.penalties import L2

if TYPE_CHECKING:
    from parity.results import Reference, Report, Run

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe & Ito: told apart by everyone
GROUPS = {
    "update": "weights after the step",
    "state": "optimizer state",
    "gradient": "gradient",
    "loss": "loss",
    "norm": "‖w‖₂",
}


def draw_all(report: Report, folder: Path) -> list[Path]:
    """Every picture into ``folder``: two per family of experiments, two per experiment."""
    paths = []
    for name, references in families(report.references).items():
        runs = [one for one in report.runs if one.experiment in [r.experiment for r in references]]
        paths.append(_save(losses(name, references, runs), folder / f"{name}--losses.png"))
        paths.append(_save(norms(name, references, runs), folder / f"{name}--norm.png"))
    for reference in report.references:
        runs = [r for r in report.runs if r.experiment is reference.experiment and r.verdict.comparisons]
        if runs:
            picture = tolerance(reference.experiment.name, runs)
            paths.append(_save(picture, folder / f"{reference.experiment.name}--tolerance.png"))
            picture = free_runs(reference.experiment.name, runs)
            paths.append(_save(picture, folder / f"{reference.experiment.name}--free-run.png"))
    return paths


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
    return {_shared_name([r.experiment.name for r in group]): group for group in groups}


def _core(reference: Reference) -> Any:
    return replace(reference.experiment, name="family", title="", source="", penalties=())


def _shared_name(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    prefix = names[0]
    while not all(name.startswith(prefix) for name in names):
        prefix = prefix[:-1]
    return prefix.removesuffix("-lam").rstrip("-") or names[0]


def penalty_label(reference: Reference) -> str:
    """``λ = 3``, or the penalties by name."""
    penalties = reference.experiment.penalties
    if not penalties:
        return "λ = 0"
    if len(penalties) == 1 and isinstance(penalties[0], L2):
        return f"λ = {penalties[0].strength:g}"
    return " + ".join(type(penalty).__name__ for penalty in penalties)


def losses(name: str, references: list[Reference], runs: list[Run]) -> Figure:
    """Train and validation loss per epoch, log axis: the reference as lines, torch as marks on them."""
    validated = any(r.trajectory.validation_loss is not None for r in references)
    figure, axes = _figure(1, 2 if validated else 1, f"{name}: loss without the penalty")
    for column, which in enumerate(["train_loss", "validation_loss"][: 2 if validated else 1]):
        axis = axes[column]
        for colour, reference in zip(_cycle(), references, strict=False):
            values = getattr(reference.trajectory, which)
            if values is None:
                continue
            epochs = np.arange(len(values))
            axis.plot(epochs, values[:, 0], color=colour, lw=2, label=f"{penalty_label(reference)}, reference")
            mine = [one for one in runs if one.experiment is reference.experiment and one.trajectory is not None]
            for i, (dtype, some) in enumerate(_by_dtype(mine).items()):
                torch_values = getattr(some[0].trajectory, which)
                every = max(1, len(epochs) // 10)
                marked = slice(i * every // max(1, len(_by_dtype(mine))), None, every)
                label = f"{penalty_label(reference)}, torch {dtype}"
                marker = "osD^"[i % 4]
                axis.plot(epochs[marked], torch_values[marked, 0], marker, mfc="none", color=colour, ms=7, label=label)
        axis.set_yscale("log")
        axis.set_title({"train_loss": "training rows", "validation_loss": "validation rows"}[which], fontsize=11)
        axis.set_xlabel("epoch")
        axis.set_ylabel("loss")
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0].legend(fontsize=8, frameon=False)
    return figure


def norms(name: str, references: list[Reference], runs: list[Run]) -> Figure:
    """‖w‖₂ per step."""
    figure, axes = _figure(1, 1, f"{name}: weight norm")
    axis = axes[0]
    for colour, reference in zip(_cycle(), references, strict=False):
        values = reference.trajectory.norm[:, 0]
        steps = np.arange(len(values))
        axis.plot(steps, values, color=colour, lw=2, label=f"{penalty_label(reference)}, reference")
        mine = [one for one in runs if one.experiment is reference.experiment and one.trajectory is not None]
        for i, (dtype, some) in enumerate(_by_dtype(mine).items()):
            assert some[0].trajectory is not None
            every = max(1, len(steps) // 12)
            marked = slice(i * every // max(1, len(_by_dtype(mine))), None, every)
            label = f"{penalty_label(reference)}, torch {dtype}"
            marker = "osD^"[i % 4]
            axis.plot(
                steps[marked], some[0].trajectory.norm[marked, 0], marker, mfc="none", color=colour, ms=7, label=label
            )
    axis.set_xlabel("step")
    axis.set_ylabel("‖w‖₂")
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=8, frameon=False)
    return figure


def tolerance(name: str, runs: list[Run]) -> Figure:
    """Error ÷ tolerance per step, the largest over formulations and implementations; above 1 nothing correct can be."""
    by_dtype = _by_dtype(runs)
    figure, axes = _figure(1, len(by_dtype), f"{name}: error ÷ tolerance at each step (1 is the limit)")
    for axis, (dtype, some) in zip(axes, by_dtype.items(), strict=True):
        for colour, (group, label) in zip(COLOURS, GROUPS.items(), strict=False):
            steps, share = _largest_share(some, group)
            if len(steps):
                axis.plot(steps, np.maximum(share, 1e-4), ".-", color=colour, lw=1, ms=3, label=label)
        axis.axhline(1, color="#b00020", lw=1.5)
        axis.set_yscale("log")
        axis.set_ylim(bottom=0.8e-4)
        axis.set_title(dtype, fontsize=11)
        axis.set_xlabel("step")
    axes[0].set_ylabel("error ÷ tolerance")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9, frameon=False)
    return figure


def free_runs(name: str, runs: list[Run]) -> Figure:
    """How far the weights drift from the reference's when both run freely, with the band of correct implementations."""
    by_dtype = _by_dtype([one for one in runs if one.free_run is not None])
    figure, axes = _figure(1, len(by_dtype), f"{name}: drift of the weights in free runs (shown, never deciding)")
    for axis, (dtype, some) in zip(axes, by_dtype.items(), strict=True):
        floor = 2.0**-53
        for one, colour, style in zip(some, _cycle(), ["-", "--", ":"] * len(some), strict=False):
            assert one.free_run is not None
            steps = np.arange(len(one.free_run.difference))
            label = f"{one.setting.formulation} {one.setting.implementation}"
            axis.plot(steps, np.maximum(one.free_run.difference, floor), style, color=colour, lw=1.5, label=label)
        bands = np.array([one.free_run.band for one in some if one.free_run is not None])
        highest = np.maximum(bands.max(axis=0), floor)
        steps = np.arange(len(highest))
        axis.fill_between(steps, floor, highest, color="#999999", alpha=0.25, lw=0, label="correct implementations")
        axis.set_yscale("log")
        axis.set_title(dtype, fontsize=11)
        axis.set_xlabel("step")
    axes[0].set_ylabel("‖θ − θ_ref‖ ÷ ‖θ_ref‖")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    return figure


def _largest_share(runs: list[Run], group: str) -> tuple[Any, Any]:
    """Over all runs and all quantities of a group, step by step."""
    largest: dict[int, float] = {}
    for one in runs:
        for comparison in one.verdict.comparisons:
            if comparison.quantity.split()[0] == group:
                for step, share in zip(comparison.steps, comparison.share, strict=True):
                    largest[int(step)] = max(largest.get(int(step), 0.0), float(min(share, 1e12)))
    steps = sorted(largest)
    return np.array(steps), np.array([largest[step] for step in steps])


def _by_dtype(runs: list[Run]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for one in runs:
        found.setdefault(one.setting.dtype, []).append(one)
    return found


def _cycle() -> list[str]:
    return [*COLOURS] * 20


def _figure(rows: int, columns: int, title: str) -> tuple[Figure, list[Any]]:
    """White ground, so that a picture reads the same on a light and on a dark page."""
    figure = Figure(figsize=(1 + 4.6 * columns, 4.2 * rows), dpi=130, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.grid(True, color="#dddddd", lw=0.6)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=12, x=0.02, ha="left")
    return figure, list(axes.flat)


def _save(figure: Figure, path: Path) -> Path:
    temporary = path.with_name(f".{path.name}")
    try:
        figure.savefig(temporary, format="png")
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another folder with --out") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path
