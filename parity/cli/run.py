"""``parity run``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from parity.cli.words import (
    DTYPE_NAMES,
    FORMULATION_NAMES,
    IMPLEMENTATION_NAMES,
    Interrupted,
    choices,
    load_all,
    new_folder,
)


def run_command(
    experiments: Annotated[
        list[str], typer.Argument(help="Names from `parity list`, patterns (s0-*) or files (.toml).")
    ],
    device: Annotated[
        list[str] | None, typer.Option(help="A torch device; default: the CPU, and an accelerator if there is one.")
    ] = None,
    dtype: Annotated[list[str], typer.Option(help="float64, float32, bfloat16, float16 or all.")] = [
        "float64",
        "float32",
    ],
    formulation: Annotated[list[str], typer.Option(help="loss, weight_decay, manual or all.")] = ["all"],
    implementation: Annotated[list[str], typer.Option(help="for-loop, foreach, fused or all.")] = ["for-loop"],
    tf32: Annotated[bool, typer.Option("--tf32", help="Let float32 matrix products on CUDA use TF32.")] = False,
    form_factor: Annotated[
        float, typer.Option(min=1, help="Multiplies the unit roundoff: 2 for code of unknown algebraic form.")
    ] = 1.0,
    out: Annotated[Path | None, typer.Option(help="Results folder; default: a new one in parity-results/.")] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the report as JSON, too; - for standard output.")
    ] = None,
) -> None:
    """Run experiments in the reference and in torch, compare them step by step, and say what differs."""
    dtypes = choices("--dtype", dtype, DTYPE_NAMES)
    formulations = choices("--formulation", formulation, FORMULATION_NAMES)
    implementations = choices("--implementation", implementation, IMPLEMENTATION_NAMES)
    wanted = load_all(*experiments)

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from parity.report.files import check_place, write_whole
    from parity.report.json import to_json
    from parity.report.terminal import print_report
    from parity.runner import run

    if json is not None and json != "-":
        check_place(Path(json))
    console = Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120)
    columns = (TextColumn("{task.description:48}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("starting", total=None)
            report = run(
                wanted,
                devices=device or (),
                dtypes=dtypes,
                formulations=formulations,
                implementations=implementations,
                tf32=tf32,
                form_factor=form_factor,
                out=out or new_folder(),
                progress=lambda done, total, what: bar.update(task, completed=done, total=total, description=what),
            )
        print_report(report, console)
        if json == "-":
            print(to_json(report))
        elif json is not None:
            write_whole(Path(json), to_json(report) + "\n")
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; the trajectories of finished runs are in the results folder, its earlier report is kept"
        ) from None
    raise typer.Exit(report.exit_code)
