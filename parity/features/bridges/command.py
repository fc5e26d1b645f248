"""``parity bridge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parity.completion import bridges
from parity.errors import InputError
from parity.options import Json, Seed

EXAMPLES = ("parity bridge", "parity bridge early-stopping")


def bridge_command(
    bridge: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="The bridge to show; without it, list all.", autocompletion=bridges),
    ] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="The results folder; default: a new one in parity-results/.")
    ] = None,
    seed: Seed = 0,
    json: Json = None,
) -> None:
    """Show exactly how two ideas are one: early stopping and ridge, dropout and ridge, priors and penalties …"""
    from parity.features.bridges import build
    from parity.features.bridges.files import places, write_bridge
    from parity.output import Output

    if out == "":
        raise InputError("--out: given no name; give a folder, or leave --out away for a new one in parity-results/")
    output = Output(json, Path(out) if out else None)
    if bridge is None:
        if out is not None:
            raise InputError(
                f"--out {out}: without a bridge nothing is written; give its id, `parity bridge` lists them"
            )
        if json is not None:
            raise InputError("--json: is of one bridge; name it: parity bridge ID --json FILE")
        build.bridge()._print(output.console)
        return
    places(build.known(bridge), output.folder)  # before the work
    built = build.bridge(bridge, seed=seed)
    written = write_bridge(built, output.folder)
    built._print(output.console)
    output.results([path.name for path in written])
    output.document(built.to_json())
    raise typer.Exit(int(not built.holds))
