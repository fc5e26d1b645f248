"""``parity verify``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from parity.cli.words import Interrupted, new_folder
from parity.errors import InputError


def verify_command(
    optimizer: Annotated[list[str] | None, typer.Option(help="A class of torch.optim; default: all.")] = None,
    implementation: Annotated[
        list[str] | None,
        typer.Option(
            help="for-loop, foreach, fused, capturable, differentiable, compile; default: all, of compile few."
        ),
    ] = None,
    dtype: Annotated[
        list[str] | None, typer.Option(help="float64, float32, bfloat16, float16, complex64; default: all.")
    ] = None,
    device: Annotated[
        list[str] | None, typer.Option(help="A torch device; default: the CPU, and an accelerator if there is one.")
    ] = None,
    situation: Annotated[
        list[str] | None, typer.Option(help="What training meets (plain, groups …); default: all.")
    ] = None,
    k: Annotated[
        str, typer.Option("-k", metavar="EXPR", help="Words of a case's id, with and, or, not; or an id itself.")
    ] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="A sample of every optimizer and situation, in seconds.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of all numbers that are drawn.")] = 0,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one for each core.")] = None,
    out: Annotated[Path | None, typer.Option(help="Results folder; default: a new one in parity-results/.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the cases that --out does not have yet.")
    ] = False,
    json: Annotated[str | None, typer.Option(metavar="FILE|-", help="The document here, too; - for output.")] = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML here, too.")] = None,
    html: Annotated[Path | None, typer.Option(help="The page here, too.")] = None,
) -> None:
    """Hold every torch optimizer to its reference: implementations, dtypes, and the situations of real training."""
    if resume and out is None:
        raise InputError("--resume: needs the folder of the run to go on with; give --out")
    from rich.console import Console

    from parity.matrix.verify import exit_code, select, verify
    from parity.report.files import check_place, write_whole
    from parity.report.matrix import files
    from parity.report.matrix.progress import progress_bar
    from parity.report.matrix.terminal import print_matrix

    for place in (None if json in (None, "-") else Path(str(json)), junit, html):
        if place is not None:
            check_place(place)
    cases = select(optimizer, implementation, dtype, device, situation, k, seed=seed, quick=quick)
    console = Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120)
    folder = out or new_folder()
    try:
        with progress_bar() as progress:
            document = verify(cases, jobs=jobs or os.cpu_count() or 1, folder=folder, resume=resume, progress=progress)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; all results so far are kept: the same command with --out {folder} --resume goes on"
        ) from None
    written = files.write_all(document, folder)
    print_matrix(document, console)
    console.print(f"Results: {folder} ({', '.join(written)})")
    for place, text in ((junit, files.JUNIT), (html, files.PAGE)):
        if place is not None:
            write_whole(place, (folder / text).read_text(encoding="utf-8"))
    if json == "-":
        print((folder / files.DOCUMENT).read_text(encoding="utf-8"))
    elif json is not None:
        write_whole(Path(json), (folder / files.DOCUMENT).read_text(encoding="utf-8"))
    raise typer.Exit(exit_code(document["counts"]))
