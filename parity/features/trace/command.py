"""``parity trace``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.loading import load
from parity.options import DTYPE_NAMES, FORMULATION_NAMES, ExperimentName, Json, one_of


def trace_command(
    experiment: ExperimentName,
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
    json: Json = None,
) -> None:
    """Show the numbers of the first steps as one would compute them on paper, reference and torch side by side."""
    dtype = one_of("--dtype", dtype, DTYPE_NAMES)
    formulation = one_of("--formulation", formulation, FORMULATION_NAMES)

    from parity.features.trace.page import NAMES, write_all
    from parity.features.trace.run import trace
    from parity.output import Output, make_folder

    one = load(experiment)
    output = Output(json)
    if out is not None:
        make_folder(out, *NAMES)
    traced = trace(
        one,
        steps=steps,
        row=row,
        parameter=parameter,
        dtype=dtype,
        formulation=formulation,  # type: ignore[arg-type]  # checked above
    )
    written = write_all(traced, out) if out is not None else []
    traced._print(output.console)
    for name in written:
        output.console.print(f"{out}/{name}", soft_wrap=True, markup=False, highlight=False)
    output.document(traced.to_json())
    output.changed(one.changed_files)
