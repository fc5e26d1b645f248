"""``parity stability``."""

from __future__ import annotations

import math
from itertools import count
from typing import Annotated

import typer

from parity.errors import InputError
from parity.options import ExperimentName, Json, load_one


def stability_command(
    experiment: ExperimentName,
    lr: Annotated[
        list[float] | None, typer.Option(help="A learning rate of the table; default: around the limit.")
    ] = None,
    json: Json = None,
) -> None:
    """Predict, before it is run, whether SGD on these batches diverges, and from which learning rate and λ on."""
    for given in lr or []:
        if not 0 < given < math.inf:
            raise InputError(f"--lr {given:g}: allowed: a finite number > 0")
    from parity.features.stability.show import print_stability, to_json
    from parity.features.stability.stability import stability, stable_strengths
    from parity.output import Output, progress

    output = Output(json)
    asked = load_one(experiment)
    made = count()
    with progress("predictions") as show:
        forecast = stability(asked, lr or [], lambda: show(next(made), None))
        strengths = stable_strengths(asked, lambda: show(next(made), None))
    print_stability(forecast, strengths, output.console)
    output.document(to_json(forecast, strengths))
    output.changed(asked.changed_files)
