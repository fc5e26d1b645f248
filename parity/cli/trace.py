"""``parity trace``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from parity.cli.words import DTYPE_NAMES, FORMULATION_NAMES, load_one
from parity.errors import InputError, nearest


def trace_command(
    experiment: Annotated[str, typer.Argument(help="A name from `parity list`, or a file (.toml).")],
    steps: Annotated[int, typer.Option(help="How many steps, from the first.")] = 3,
    row: Annotated[int, typer.Option(help="The row to follow, by its place in each batch, from 0.")] = 0,
    parameter: Annotated[
        str, typer.Option(help="The element to follow: weight[3] counts, weight[0][3] is torch's index; or bias.")
    ] = "weight[0]",
    dtype: Annotated[str, typer.Option(help="Of torch: float64, float32, bfloat16 or float16.")] = "float64",
    formulation: Annotated[
        str, typer.Option(help="Of torch and the reference: loss, weight_decay or manual.")
    ] = "loss",
    out: Annotated[Path | None, typer.Option(help="A folder for the pages, trace.md and trace.html.")] = None,
) -> None:
    """Show the numbers of the first steps as one would compute them on paper, reference and torch side by side."""
    for option, word, known in (("--dtype", dtype, DTYPE_NAMES), ("--formulation", formulation, FORMULATION_NAMES)):
        if word not in known:
            raise InputError(f"{option} {word}: unknown; allowed: {', '.join(known)}{nearest(word, known)}")

    from rich.console import Console

    from parity.report.study.trace import prepare, print_trace, write_all
    from parity.study.trace import trace

    one = load_one(experiment)
    if out is not None:
        prepare(out)
    found = trace(
        one,
        steps=steps,
        row=row,
        parameter=parameter,
        dtype=dtype,
        formulation=formulation,  # type: ignore[arg-type]  # checked above
    )
    written = write_all(found, out) if out is not None else []
    print_trace(found, Console(width=None if sys.stdout.isatty() else 120))
    for name in written:
        print(f"{out}/{name}")
