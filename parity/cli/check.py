"""``parity check``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from parity.cli.words import DTYPE_NAMES, choices, load_one, new_folder
from parity.errors import InputError


def check_command(
    target: Annotated[
        str,
        typer.Argument(help="file.py:function, file.py:Class, package.module:Class, or a log (.npz, .csv, .jsonl)."),
    ],
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
            help="float64, float32, bfloat16 or float16; default: float64, and for a log the first that explains it."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="A torch device.")] = "cpu",
    limit: Annotated[float, typer.Option(min=1, help="Seconds that the code may take.")] = 60.0,
    out: Annotated[Path | None, typer.Option(help="Results folder; default: a new one in parity-results/.")] = None,
    json: Annotated[str | None, typer.Option(metavar="FILE|-", help="The document here, too; - for output.")] = None,
) -> None:
    """Say what an optimizer class, a training function or a log computes, and why it differs."""
    from rich.console import Console

    from parity.check.run import check, exit_code
    from parity.check.worker import TheirError
    from parity.report.check.files import write_all
    from parity.report.check.terminal import print_diagnosis
    from parity.report.files import check_place, write_whole

    choices("--dtype", [] if dtype is None else [dtype], DTYPE_NAMES)
    if json not in (None, "-"):
        check_place(Path(str(json)))
    try:
        found = check(
            target,
            experiment=load_one(experiment) if experiment is not None else None,
            hyper=hyper or [],
            against=against,
            dtype=dtype,
            device=device,
            limit=limit,
        )
    except TheirError as error:
        print(f"{error}\n", file=sys.stderr)
        raise InputError(f"{target}: raised the exception above") from None
    console = Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120)
    folder = out or new_folder()
    text, written = write_all(target, found, folder)
    print_diagnosis(target, found, console)
    console.print(f"Results: {folder} ({', '.join(written)})", soft_wrap=True, highlight=False)
    if json == "-":
        print(text)
    elif json is not None:
        write_whole(Path(json), text + "\n")
    raise typer.Exit(exit_code(found))
