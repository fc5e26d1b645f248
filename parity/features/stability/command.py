"""``parity stability``."""

from __future__ import annotations

from itertools import count
from typing import Annotated

import typer

from parity.loading import load
from parity.options import ExperimentName, Json

EXAMPLES = ("parity stability s4-beyond-limit", "parity stability s0-scratch-lam3 --lr 0.01 --lr 0.1")


def stability_command(
    experiment: ExperimentName,
    lr: Annotated[
        list[float] | None,
        typer.Option(metavar="LR", help="A learning rate of the table; default: around the limit. May be repeated."),
    ] = None,
    json: Json = None,
) -> None:
    """Predict, before it is run, whether SGD on these batches diverges, and from which learning rate and λ on."""
    from parity.features.stability.stability import stability
    from parity.output import Output, progress

    output = Output(json)
    asked = load(experiment)
    made = count()
    with progress("predictions") as show:
        forecast = stability(asked, lr or [], lambda: show(next(made), None))
        forecast.stable_strengths  # noqa: B018  # computed here, while the bar is there
    forecast._print(output.console)
    output.document(forecast.to_json())
    output.changed(asked.changed_files)
