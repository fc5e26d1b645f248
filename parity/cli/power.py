"""``parity power``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from parity.cli.words import Interrupted, choices, new_folder
from parity.errors import InputError


def power_command(
    dtype: Annotated[list[str], typer.Option(help="float64, float32, bfloat16 or all.")] = ["all"],
    quick: Annotated[bool, typer.Option("--quick", help="A sample of each measurement.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of data, initial weights, batches and the pairs drawn.")] = 0,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one for each core.")] = None,
    out: Annotated[Path | None, typer.Option(help="Results folder; default: a new one in parity-results/.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the cases that --out does not have yet.")
    ] = False,
    json: Annotated[str | None, typer.Option(metavar="FILE|-", help="The document here, too; - for output.")] = None,
) -> None:
    """Measure the judge: false alarms, faults caught, causes named, smallest faults seen."""
    if resume and out is None:
        raise InputError("--resume: needs the folder of the run to go on with; give --out")
    from rich.console import Console

    from parity.power.plan import DTYPES, plan
    from parity.power.run import exit_code, power
    from parity.report.files import check_place, write_whole
    from parity.report.matrix.progress import progress_bar
    from parity.report.power import files
    from parity.report.power.terminal import print_power

    cases = plan(choices("--dtype", dtype, DTYPES), seed=seed, quick=quick)
    if json not in (None, "-"):
        check_place(Path(str(json)))
    console = Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120)
    folder = out or new_folder()
    try:
        with progress_bar() as progress:
            document = power(cases, jobs=jobs or os.cpu_count() or 1, folder=folder, resume=resume, progress=progress)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; all results so far are kept: the same command with --out {folder} --resume goes on"
        ) from None
    written = files.write_all(document, folder)
    print_power(document, console)
    console.print(f"Results: {folder} ({', '.join(written)})", soft_wrap=True, highlight=False)
    if json == "-":
        print(files.to_json(document), end="")
    elif json is not None:
        write_whole(Path(json), files.to_json(document))
    raise typer.Exit(exit_code(document))
