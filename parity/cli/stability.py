"""``parity stability``."""

from __future__ import annotations

import math
import sys
from itertools import count
from pathlib import Path
from typing import Annotated

import typer

from parity.cli.words import load_one
from parity.errors import InputError


def stability_command(
    experiment: Annotated[str, typer.Argument(help="A name from `parity list`, or a file.")],
    lr: Annotated[
        list[float] | None, typer.Option(help="A learning rate of the table; default: around the limit.")
    ] = None,
    json: Annotated[str | None, typer.Option(metavar="FILE|-", help="The document here, too; - for output.")] = None,
) -> None:
    """Predict, before it is run, whether SGD on these batches diverges, and from which learning rate and λ on."""
    for given in lr or []:
        if not 0 < given < math.inf:
            raise InputError(f"--lr {given:g}: allowed: a finite number > 0")
    from rich.console import Console

    from parity.report.files import check_place, write_whole
    from parity.report.study.stability import print_stability, to_json
    from parity.report.study.sweep.progress import progress_bar
    from parity.study.stability import stability, stable_strengths

    if json not in (None, "-"):
        check_place(Path(str(json)))
    asked = load_one(experiment)
    made = count()
    with progress_bar("predictions") as progress:
        found = stability(asked, lr or [], lambda: progress(next(made), None))
        strengths = stable_strengths(asked, lambda: progress(next(made), None))
    print_stability(found, strengths, Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120))
    if json == "-":
        print(to_json(found, strengths))
    elif json is not None:
        write_whole(Path(json), to_json(found, strengths) + "\n")
