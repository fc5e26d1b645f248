"""``parity run``."""

from __future__ import annotations

from typing import Annotated

import typer

from parity import options
from parity.completion import experiments as names
from parity.loading import load_all
from parity.options import DTYPE_NAMES, FORMULATION_NAMES, IMPLEMENTATION_NAMES, Devices, Json, Out, choices

EXAMPLES = (
    "parity run s0-scratch-lam3",
    "parity run 's0-*' --dtype float32 --formulation loss",
    "parity run mine.toml --dtype all --implementation foreach --out results",
)
FormFactor = Annotated[
    float,
    typer.Option(metavar="F", min=1, help="A factor on the unit roundoff; 2 is for code of unknown algebraic form."),
]


def run_command(
    experiments: Annotated[
        list[str],
        typer.Argument(
            metavar="EXPERIMENT...",
            help="Names from `parity list`, patterns (s0-*) or files (.toml).",
            autocompletion=names,
        ),
    ],
    device: Devices = None,
    dtype: Annotated[list[str], options.dtype_option(" or all. May be repeated.")] = ["float64", "float32"],
    formulation: Annotated[
        list[str],
        typer.Option(
            metavar="FORM",
            help="Where the penalty is: loss, weight_decay, manual or all. May be repeated.",
            autocompletion=options.formulations,
        ),
    ] = ["all"],
    implementation: Annotated[
        list[str],
        typer.Option(
            metavar="IMPL",
            help="for-loop, foreach, fused or all. May be repeated.",
            autocompletion=options.implementations,
        ),
    ] = ["for-loop"],
    backend: Annotated[
        str, typer.Option(metavar="BACKEND", help="torch, optax, keras, mlx or sklearn: the framework compared.")
    ] = "torch",
    tf32: Annotated[bool, typer.Option("--tf32", help="Let float32 matrix products on CUDA use TF32.")] = False,
    form_factor: FormFactor = 1.0,
    out: Out = None,
    json: Json = None,
) -> None:
    """Run experiments in the reference and in torch, compare them step by step, and say what differs."""
    dtypes = choices("--dtype", dtype, DTYPE_NAMES)
    formulations = choices("--formulation", formulation, FORMULATION_NAMES)
    implementations = choices("--implementation", implementation, IMPLEMENTATION_NAMES)
    wanted = load_all(*experiments)

    from parity.features.run.run import run
    from parity.output import Output, interruptible, progress

    output = Output(json, out)
    kept = "the trajectories of finished runs are in the results folder, its earlier report is kept"
    with interruptible(kept):
        with progress() as show:
            report = run(
                wanted,
                devices=device or (),
                dtypes=dtypes,
                formulations=formulations,
                implementations=implementations,
                backend=backend,
                tf32=tf32,
                form_factor=form_factor,
                out=output.folder,
                progress=show,
                announce=output.say,
            )
        report._print(output.console)
        output.document(report.to_json())
    output.changed(file for one in wanted for file in one.changed_files)
    raise typer.Exit(report.exit_code)
