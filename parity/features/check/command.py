"""``parity check``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from parity.errors import InputError
from parity.loading import load
from parity.options import DTYPE_NAMES, Json, Out, choices


def check_command(
    target: Annotated[
        str | None,
        typer.Argument(
            help="file.py:function, file.py:Class, package.module:Class, or a log (.npz, .csv, .jsonl).",
            show_default=False,
        ),
    ] = None,
    experiment: Annotated[
        str | None,
        typer.Option(help="What a training function or a log is held to: a name from `parity list` or a file."),
    ] = None,
    hyper: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A hyper-parameter of an optimizer class; repeatable.")
    ] = None,
    against: Annotated[str | None, typer.Option(help="The reference that an optimizer class must be.")] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="float64, float32, bfloat16, float16; all for a class. Default: float64; of a log, what explains it."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="A torch device.")] = "cpu",
    template: Annotated[
        bool, typer.Option("--template", help="Print a training loop to begin with, that of --experiment.")
    ] = False,
    limit: Annotated[float, typer.Option(min=1, help="Seconds that the code may take.")] = 60.0,
    out: Out = None,
    json: Json = None,
) -> None:
    """Say what an optimizer class, a training function or a log computes, and why it differs."""
    from parity.features.check.files import write_all
    from parity.features.check.run import check, exit_code, hyper_parameters
    from parity.features.check.worker import TheirError
    from parity.output import Output

    if template:
        from parity.features.check.template import START
        from parity.features.check.template import template as loop

        if target is not None:
            raise InputError(f"--template: prints a loop and checks none; leave {target} out, or --template")
        print(loop(load(experiment or START), experiment or START), end="")
        return
    if target is None:
        raise InputError("what is to be checked? give file.py:name, package.module:name or a log, or --template")
    choices("--dtype", [] if dtype is None else [dtype], DTYPE_NAMES)
    output = Output(json, out)
    asked = load(experiment) if experiment is not None else None
    try:
        diagnosis = check(
            target,
            experiment=asked,
            hyper=hyper_parameters(hyper or []),
            against=against,
            dtype=dtype,
            device=device,
            limit=limit,
        )
    except TheirError as error:
        print(f"{error}\n", file=sys.stderr)
        raise InputError(f"{target}: raised the exception above") from None
    text, written = write_all(target, diagnosis, output.folder)
    diagnosis._print(output.console)
    output.results(written)
    output.document(text)
    output.changed(asked.changed_files if asked else ())
    raise typer.Exit(exit_code(diagnosis))
