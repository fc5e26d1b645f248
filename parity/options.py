"""The words on the command line that several commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from parity import completion
from parity.errors import InputError, nearest, spelled

# Spelled out here, and held to the modules by a test, so that --help loads neither NumPy nor torch.
DTYPE_NAMES = ("float64", "float32", "bfloat16", "float16")
FORMULATION_NAMES = ("loss", "weight_decay", "manual")
IMPLEMENTATION_NAMES = ("for-loop", "foreach", "fused")

dtypes = completion.among(lambda: (*DTYPE_NAMES, "all"))
formulations = completion.among(lambda: (*FORMULATION_NAMES, "all"))
implementations = completion.among(lambda: (*IMPLEMENTATION_NAMES, "all"))


def dtype_option(more: str) -> Any:
    """``--dtype``; ``more`` says what of, and what is the default."""
    return typer.Option(metavar="DTYPE", help=f"float64, float32, bfloat16, float16{more}", autocompletion=dtypes)


ExperimentName = Annotated[
    str,
    typer.Argument(
        metavar="EXPERIMENT",
        help="A name from `parity list`, or a file (.toml).",
        autocompletion=completion.experiments,
    ),
]
HeldTo = Annotated[
    str | None,
    typer.Option(
        metavar="EXPERIMENT",
        help="The experiment that the runs are held to: a name from `parity list`, or a file (.toml).",
        autocompletion=completion.experiments,
    ),
]
Json = Annotated[
    str | None, typer.Option(metavar="FILE", help="Write the document as JSON, too; - is standard output.")
]
Out = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="The results folder; default: a new one in parity-results/.")
]
OnlyOut = Annotated[
    Path | None, typer.Option("--out", metavar="FOLDER", help="The results folder; by default nothing is written.")
]
Device = Annotated[str, typer.Option(metavar="DEVICE", help="A device of torch, such as cpu or cuda:0.")]
Devices = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DEVICE",
        help="A device of torch; default: the CPU, and an accelerator if there is one. May be repeated.",
    ),
]
Seed = Annotated[int, typer.Option(metavar="SEED", min=0, help="The seed of all numbers that are drawn.")]
Jobs = Annotated[int | None, typer.Option(metavar="N", min=1, help="How many processes; default: one for each core.")]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Run on a Dask cluster in place of this machine: the address of its scheduler, such as tcp://host:8786.",
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the cases that --out does not have yet.")]


def choices(option: str, given: list[str], known: tuple[str, ...]) -> list[Any]:
    """The values of a repeated option, ``all`` meaning each. Raises :class:`InputError`."""
    values = [spelled(value, (*known, "all")) for value in given]
    for value in values:
        if value not in (*known, "all"):
            raise InputError(f"{option} {value}: unknown; allowed: {', '.join(known)}, all{nearest(value, known)}")
    return list(known) if "all" in values else list(dict.fromkeys(values))


def one_of(option: str, value: str, known: tuple[str, ...]) -> str:
    """A value of an option that takes one. Raises :class:`InputError`."""
    if spelled(value, known) not in known:
        raise InputError(f"{option} {value}: unknown; allowed: {', '.join(known)}{nearest(value, known)}")
    return spelled(value, known)


def resumed(resume: bool, out: Path | None) -> None:
    """Raise :class:`InputError` where there is nothing to go on with."""
    if resume and out is None:
        raise InputError("--resume: needs the folder of the run to go on with; give --out")
