"""``parity thread``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from parity.cli.words import Interrupted


def thread_command(
    quick: Annotated[bool, typer.Option("--quick", help="Some seconds: a small part of the settings.")] = False,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the settings as JSON, too; - for standard output.")
    ] = None,
) -> None:
    """Search the settings that give the losses a discussion reports for λ = 0 … 10, and say what they tell."""
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # before NumPy: on small products the threads wait for each other
    from rich.console import Console

    from parity.report.files import check_place, write_whole
    from parity.report.study.sweep.progress import progress_bar
    from parity.report.study.thread import print_thread, to_json
    from parity.study.thread.search import search
    from parity.study.thread.settings import QUICK, Space

    if json not in (None, "-"):
        check_place(Path(str(json)))
    console = Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120)
    space = QUICK if quick else Space()
    try:
        with progress_bar("batched runs") as progress:
            fits = search(space, progress)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; nothing was written") from None
    print_thread(space, fits, console)
    if json == "-":
        print(to_json(space, fits))
    elif json is not None:
        write_whole(Path(json), to_json(space, fits) + "\n")
