"""The words on the command line that several commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from parity.errors import InputError, nearest, spelled

# Spelled out here, and held to the modules by a test, so that --help loads neither NumPy nor torch.
DTYPE_NAMES = ("float64", "float32", "bfloat16", "float16")
FORMULATION_NAMES = ("loss", "weight_decay", "manual")
IMPLEMENTATION_NAMES = ("for-loop", "foreach", "fused")

ExperimentName = Annotated[str, typer.Argument(help="A name from `parity list`, or a file (.toml).")]
Json = Annotated[str | None, typer.Option(metavar="FILE|-", help="The document as JSON, too; - for standard output.")]
Out = Annotated[Path | None, typer.Option(help="Results folder; default: a new one in parity-results/.")]
Devices = Annotated[
    list[str] | None, typer.Option(help="A torch device; default: the CPU, and an accelerator if there is one.")
]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes; default: one for each core.")]
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
