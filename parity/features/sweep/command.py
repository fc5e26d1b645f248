"""``parity sweep``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from parity.errors import InputError
from parity.loading import load
from parity.options import DTYPE_NAMES, ExperimentName, Json, Out, Scheduler, dtype_option, one_of

EXAMPLES = (
    "parity sweep s0-scratch-lam3 --strength 0:10:1",
    "parity sweep s0-scratch-lam3 --strength log:1e-3:1e2:200 --seeds 20",
    "parity sweep s4-sweep --strength 0,1,3,10 --torch --dtype float32",
)


def sweep_command(
    experiment: ExperimentName,
    strength: Annotated[
        str,
        typer.Option(metavar="VALUES", help="The values of λ: from:to:step, log:from:to:number, or 0,1,3,10."),
    ] = "log:1e-3:1e2:200",
    seeds: Annotated[
        int, typer.Option(metavar="N", min=1, max=1000, help="How many seeds, from the experiment's own on.")
    ] = 1,
    penalty: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", help="The penalty to sweep (l1, l2 …), where the experiment has several strengths."
        ),
    ] = None,
    torch: Annotated[
        bool, typer.Option("--torch", help="Run everything in torch, too, and judge it step by step.")
    ] = False,
    dtype: Annotated[str | None, dtype_option(", of the runs in torch; default: float64.")] = None,
    scheduler: Scheduler = None,
    out: Out = None,
    json: Json = None,
) -> None:
    """Train every strength of a penalty at once; compare validation, GCV, leave-one-out, the prior and the truth."""
    if dtype is not None and not torch:
        raise InputError(f"--dtype {dtype}: is of the runs in torch; add --torch, or leave it out")
    dtype = one_of("--dtype", dtype or "float64", DTYPE_NAMES)
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # before NumPy: on small products the threads wait for each other
    one = load(experiment)

    from parity.cluster import executor_of
    from parity.features.sweep import files
    from parity.features.sweep.grid import grid
    from parity.features.sweep.penalty import swept_kind
    from parity.features.sweep.run import sweep
    from parity.output import Output, interruptible, make_folder, progress

    values = grid(strength)
    swept_kind(one, penalty)  # raises before a folder is made
    output = Output(json, out)
    make_folder(output.folder, *files.NAMES)
    nothing = f"nothing was written to {output.folder}"
    with interruptible(nothing), executor_of(scheduler) as executor, progress("runs") as show:
        swept = sweep(
            one, values, seeds=seeds, penalty=penalty, torch=torch, dtype=dtype, executor=executor, progress=show
        )
    swept._print(output.console)
    output.results(files.write_all(swept, output.folder))
    output.document(swept.to_json())
    output.changed(one.changed_files)
    raise typer.Exit(int(swept.in_torch is not None and "disagree" in swept.in_torch.counts))
