"""``parity compare``."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.loading import load
from parity.options import DTYPE_NAMES, HeldTo, Json, OnlyOut, dtype_option, one_of

EXAMPLES = (
    "parity compare before.npz after.npz",
    "parity compare before.csv after.csv --experiment check-sgd --out compared",
)
FILE = "A recorded run: what `parity run` saved, or a log (.npz, .csv, .jsonl)."


def compare_command(
    a: Annotated[str, typer.Argument(metavar="A", help=FILE)],
    b: Annotated[str, typer.Argument(metavar="B", help="The recorded run that it is compared with.")],
    experiment: HeldTo = None,
    dtype: Annotated[str | None, dtype_option("; default: of a log the first that explains it.")] = None,
    out: OnlyOut = None,
    json: Json = None,
) -> None:
    """Say where two recorded runs part: the first step, tensor and element; with an experiment, why."""
    from parity.features.compare.compare import compare
    from parity.output import Output, make_folder, write_whole

    wanted = one_of("--dtype", dtype, DTYPE_NAMES) if dtype is not None else None
    output = Output(json, out)
    if out is not None:
        make_folder(out, "compare.json")
    compared = compare(a, b, experiment=load(experiment) if experiment is not None else None, dtype=wanted)
    text = compared.to_json()
    compared._print(output.console)
    if out is not None:
        write_whole(out / "compare.json", text + "\n")
        output.results(["compare.json"])
    output.document(text)
    raise typer.Exit(int(compared.verdict == "disagree"))
