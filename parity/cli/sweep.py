"""``parity sweep``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from parity.cli.words import DTYPE_NAMES, Interrupted, load_one, new_folder
from parity.errors import InputError, nearest


def sweep_command(
    experiment: Annotated[str, typer.Argument(help="A name from `parity list`, or a file (.toml).")],
    strength: Annotated[
        str, typer.Option(help="The values of λ: from:to:step, log:from:to:number, or 0,1,3,10.")
    ] = "log:1e-3:1e2:200",
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Number of seeds, from the experiment's own on.")] = 1,
    penalty: Annotated[
        str | None, typer.Option(help="l1, l2 …: which strength to sweep, where the experiment has several.")
    ] = None,
    torch: Annotated[bool, typer.Option("--torch", help="The same runs in torch, each judged step by step.")] = False,
    dtype: Annotated[str | None, typer.Option(help="Of the runs in torch; default: float64.")] = None,
    out: Annotated[Path | None, typer.Option(help="Results folder; default: a new one in parity-results/.")] = None,
    json: Annotated[str | None, typer.Option(metavar="FILE|-", help="The document here, too; - for output.")] = None,
) -> None:
    """Train every strength of a penalty at once; compare validation, GCV, leave-one-out, the prior and the truth."""
    if dtype is not None and not torch:
        raise InputError(f"--dtype {dtype}: is of the runs in torch; add --torch, or leave it out")
    dtype = dtype or "float64"
    if dtype not in DTYPE_NAMES:
        raise InputError(f"--dtype {dtype}: unknown; allowed: {', '.join(DTYPE_NAMES)}{nearest(dtype, DTYPE_NAMES)}")
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # before NumPy: on small products the threads wait for each other
    one = load_one(experiment)

    from rich.console import Console

    from parity.report.files import check_place, write_whole
    from parity.report.study.sweep import files
    from parity.report.study.sweep.document import to_json
    from parity.report.study.sweep.progress import progress_bar
    from parity.report.study.sweep.terminal import print_sweep
    from parity.study.sweep.beside import beside
    from parity.study.sweep.grid import grid
    from parity.study.sweep.marks import marks
    from parity.study.sweep.penalty import swept_kind
    from parity.study.sweep.run import sweep

    values = grid(strength)
    swept_kind(one, penalty)  # raises before a folder is made
    if json not in (None, "-"):
        check_place(Path(str(json)))
    console = Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120)
    folder = out or new_folder()
    files.prepare(folder)
    try:
        with progress_bar("seeds") as progress:
            found = sweep(one, values, seeds=seeds, penalty=penalty, progress=progress)
        in_torch = None
        if torch:
            with progress_bar("runs in torch") as progress:
                in_torch = beside(found, dtype=dtype, progress=progress)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; nothing was written to {folder}") from None
    chosen = marks(found)
    print_sweep(found, chosen, in_torch, console)
    written = files.write_all(found, chosen, in_torch, folder)
    console.print(f"Results: {folder} ({', '.join(written)})", soft_wrap=True, highlight=False)
    if json == "-":
        print(to_json(found, chosen, in_torch), end="")
    elif json is not None:
        write_whole(Path(json), to_json(found, chosen, in_torch))
    raise typer.Exit(int(in_torch is not None and "disagree" in in_torch.counts))
