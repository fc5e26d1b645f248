"""``parity verify``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from parity.options import Devices, Jobs, Json, Out, Resume, resumed


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
    device: Devices = None,
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
    jobs: Jobs = None,
    out: Out = None,
    resume: Resume = False,
    json: Json = None,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML here, too.")] = None,
    html: Annotated[Path | None, typer.Option(help="The page here, too.")] = None,
) -> None:
    """Hold every torch optimizer to its reference: implementations, dtypes, and the situations of real training."""
    resumed(resume, out)

    from parity.features.verify import files
    from parity.features.verify.ask import Verified
    from parity.features.verify.verify import select, verify
    from parity.output import RESUMABLE, Output, interruptible, progress_of_counts, write_whole

    output = Output(json, out, junit, html)
    cases = select(optimizer, implementation, dtype, device, situation, k, seed=seed, quick=quick)
    folder = output.folder
    with interruptible(RESUMABLE.format(folder=folder)), progress_of_counts() as show:
        document = verify(cases, jobs=jobs or os.cpu_count() or 1, folder=folder, resume=resume, progress=show)
    written = files.write_all(document, folder)
    verified = Verified(document)
    verified._print(output.console)
    output.results(written)
    for place, text in ((junit, files.JUNIT), (html, files.PAGE)):
        if place is not None:
            write_whole(place, (folder / text).read_text(encoding="utf-8"))
    output.document((folder / files.DOCUMENT).read_text(encoding="utf-8"))
    raise typer.Exit(verified.exit_code)
