"""The prediction of `parity stability` for people and for machines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parity.output import to_json as as_json

if TYPE_CHECKING:
    from parity.features.stability.stability import Stability
    from refimpl.exact.stability import Growth


def print_stability(found: Stability, strengths: tuple[float, float] | None, console: Console) -> None:
    """The limits first, then the prediction, then a table over learning rates with the runs beside it."""
    experiment = found.experiment
    lr, (low, high) = float(experiment.optimizers["weight"].lr), found.curvature  # type: ignore[attr-defined]  # an SGD
    console.print(f"[bold]{escape(experiment.name)}[/]: {escape(experiment.title)}", soft_wrap=True)
    lines = {
        "curvature L": f"{low:.4g} to {high:.4g} of a batch, {found.mean_curvature:.4g} of all rows",
        "λ, η": f"{found.lam:g}, {lr:g}",
        "limit of a batch": f"η < {found.reach:g}/(L + λ) = {found.batch_limit:.4g}, if it came again and again",
        "limit in turns": f"η < {found.lr_limit:.4g}: what one batch makes longer, the others make shorter",
        "stable λ": _range_of_strength(strengths, lr),
        "predicted": f"{_predicted(found, found.growth)}: "
        f"errors × {found.growth.largest:.4g} per epoch{_unseen(found.growth)}",
    }
    if "SubtractedL1" in found.bounded:  # its λ is no L2
        del lines["stable λ"]
    if found.bottomless:
        lines["no minimum"] = "where errors shrink, the objective still has no minimum: it drifts without end"
    if abs(found.lr_limit / found.batch_limit - 1) < 1e-5:  # one batch is all rows
        del lines["limit in turns"]
    if found.bounded:
        lines["left out"] = f"{', '.join(found.bounded)}: a bounded pull makes weights drift, never grow by a factor"
    for name, text in lines.items():
        console.print(f"  {name:18}{escape(text)}", soft_wrap=True, highlight=False)
    console.print(f"\nTraining loss before the first step: {found.first_loss:.4g}", highlight=False)
    console.print(_table(found))


def word(growth: Growth) -> str:
    """The prediction in one word."""
    return "diverges" if growth.diverges else "converges"


def _predicted(found: Stability, growth: Growth) -> str:
    """Where errors shrink but the objective has no minimum, there is nothing to converge to."""
    return "drifts" if found.bottomless and not growth.diverges else word(growth)


def _range_of_strength(strengths: tuple[float, float] | None, lr: float) -> str:
    if strengths is None:
        return f"no λ is stable at η = {lr:g}"
    low, high = strengths
    return f"{f'{low:.4g} < ' if low else ''}λ < {high:.4g} at η = {lr:g}"


def _unseen(growth: Growth) -> str:
    return "" if growth.unseen is None else f" ({growth.unseen:.4g} along directions that no row sees)"


def _table(found: Stability) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0))
    for column in ("η", "η ÷ limit", "errors × per epoch", "predicted"):
        table.add_column(column, justify="left" if column == "predicted" else "right", no_wrap=True)
    table.add_column(f"training loss after {found.experiment.epochs} epochs", justify="right", no_wrap=True)
    for row in found.rows:
        table.add_row(
            f"{row.lr:.4g}",
            f"{row.lr / found.lr_limit:.3g}",
            f"{row.growth.largest:.4g}",
            _predicted(found, row.growth),
            f"{row.train_loss:.4g}" if math.isfinite(row.train_loss) else "overflow",
        )
    return table


def to_json(found: Stability, strengths: tuple[float, float] | None) -> str:
    """``{"schema": 1, "experiment": …, …}``; a loss that overflowed is null."""
    document: dict[str, Any] = {
        "schema": 1,
        "experiment": found.experiment.name,
        "lam": found.lam,
        "curvature": list(found.curvature),
        "mean_curvature": found.mean_curvature,
        "reach": found.reach,
        "batch_limit": found.batch_limit,
        "lr_limit": found.lr_limit,
        "stable_strengths": None if strengths is None else list(strengths),
        "growth": found.growth.largest,
        "predicted": _predicted(found, found.growth),
        "left_out": list(found.bounded),
        "first_loss": found.first_loss,
        "rows": [
            {
                "lr": row.lr,
                "growth": row.growth.largest,
                "predicted": _predicted(found, row.growth),
                "train_loss": row.train_loss if math.isfinite(row.train_loss) else None,
            }
            for row in found.rows
        ],
    }
    return as_json(document)
