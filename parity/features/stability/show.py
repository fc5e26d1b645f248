"""The prediction of `parity stability` for people and for machines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parity.features.stability.document import predicted

if TYPE_CHECKING:
    from parity.features.stability.stability import Stability
    from refimpl.exact.stability import Growth


def print_stability(forecast: Stability, strengths: tuple[float, float] | None, console: Console) -> None:
    """The limits first, then the prediction, then a table over learning rates with the runs beside it."""
    experiment = forecast.experiment
    lr, (low, high) = float(experiment.optimizers["weight"].lr), forecast.curvature  # type: ignore[attr-defined]  # an SGD
    title = f": {escape(experiment.title)}" if experiment.title else ""
    console.print(f"[bold]{escape(experiment.name)}[/]{title}", soft_wrap=True)
    lines = {
        "curvature L": f"{low:.4g} to {high:.4g} of a batch, {forecast.mean_curvature:.4g} of all rows",
        "λ, η": f"{forecast.lam:g}, {lr:g}",
        "limit of a batch": f"η < {forecast.reach:g}/(L + λ) = {forecast.batch_limit:.4g}, if it came again and again",
        "limit in turns": f"η < {forecast.lr_limit:.4g}: what one batch makes longer, the others make shorter",
        "stable λ": _range_of_strength(strengths, lr),
        "predicted": f"{predicted(forecast, forecast.growth)}: "
        f"errors × {forecast.growth.largest:.4g} per epoch{_unseen(forecast.growth)}",
    }
    if "SubtractedL1" in forecast.bounded:  # its λ is no L2
        del lines["stable λ"]
    if forecast.bottomless:
        lines["no minimum"] = "where errors shrink, the objective still has no minimum: it drifts without end"
    if abs(forecast.lr_limit / forecast.batch_limit - 1) < 1e-5:  # one batch is all rows
        del lines["limit in turns"]
    if forecast.bounded:
        lines["left out"] = f"{', '.join(forecast.bounded)}: a bounded pull makes weights drift, never grow by a factor"
    for name, text in lines.items():
        console.print(f"  {name:18}{escape(text)}", soft_wrap=True, highlight=False)
    console.print(f"\nTraining loss before the first step: {forecast.first_loss:.4g}", highlight=False)
    console.print(_table(forecast))


def _range_of_strength(strengths: tuple[float, float] | None, lr: float) -> str:
    if strengths is None:
        return f"no λ is stable at η = {lr:g}"
    low, high = strengths
    return f"{f'{low:.4g} < ' if low else ''}λ < {high:.4g} at η = {lr:g}"


def _unseen(growth: Growth) -> str:
    return "" if growth.unseen is None else f" ({growth.unseen:.4g} along directions that no row sees)"


def _table(forecast: Stability) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0))
    for column in ("η", "η ÷ limit", "errors × per epoch", "predicted"):
        table.add_column(column, justify="left" if column == "predicted" else "right", no_wrap=True)
    table.add_column(f"training loss after {forecast.experiment.epochs} epochs", justify="right", no_wrap=True)
    for row in forecast.rows:
        table.add_row(
            f"{row.lr:.4g}",
            f"{row.lr / forecast.lr_limit:.3g}",
            f"{row.growth.largest:.4g}",
            predicted(forecast, row.growth),
            f"{row.train_loss:.4g}" if math.isfinite(row.train_loss) else "overflow",
        )
    return table
