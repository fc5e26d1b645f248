"""``parity trace``."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.loading import load
from parity.options import (
    DTYPE_NAMES,
    FORMULATION_NAMES,
    ExperimentName,
    Json,
    OnlyOut,
    dtype_option,
    formulations,
    one_of,
)

EXAMPLES = (
    "parity trace s1-xor --steps 1",
    "parity trace s0-scratch-lam3 --steps 1 --row 2 --parameter 'weight[3]' --out pages",
)


def trace_command(
    experiment: ExperimentName,
    steps: Annotated[int, typer.Option(metavar="N", help="How many steps, from the first.")] = 3,
    row: Annotated[int, typer.Option(metavar="N", help="The row to follow, by its place in each batch, from 0.")] = 0,
    parameter: Annotated[
        str,
        typer.Option(
            metavar="ELEMENT", help="The element to follow: bias, weight[3], or, as torch has it, weight[0][3]."
        ),
    ] = "weight[0]",
    dtype: Annotated[str, dtype_option(", of torch.")] = "float64",
    formulation: Annotated[
        str,
        typer.Option(
            metavar="FORM",
            help="Where the penalty is: loss, weight_decay or manual.",
            autocompletion=formulations,
        ),
    ] = "loss",
    out: OnlyOut = None,
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
