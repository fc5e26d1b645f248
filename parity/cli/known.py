"""``parity known``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from parity.errors import InputError, nearest


def known_command(
    fact: Annotated[str | None, typer.Argument(metavar="[ID]", help="Show this fact whole, with its script.")] = None,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the facts as JSON, too; - for standard output.")
    ] = None,
) -> None:
    """Try what is known to be wrong or surprising in torch, and say whether it still is."""
    from importlib.metadata import version
    from platform import platform

    from rich.console import Console

    from parity.known import KNOWN
    from parity.report.files import check_place, write_whole
    from parity.report.known import print_fact, print_facts, to_json

    if fact is not None and fact not in KNOWN:
        raise InputError(f"{fact}: no such fact; `parity known` lists them{nearest(fact, KNOWN)}")
    if json is not None and json != "-":
        check_place(Path(json))
    found = {one: one.observe() for one in KNOWN.values() if fact in (None, one.id)}
    console = Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120)
    if fact is not None:
        print_fact(KNOWN[fact], found[KNOWN[fact]], console)
    else:
        print_facts(found, console)
    document = to_json(found, {"torch": version("torch"), "platform": platform()})
    if json == "-":
        print(document)
    elif json is not None:
        write_whole(Path(json), document + "\n")
    raise typer.Exit(int(any(one.state == "no longer: remove me" for one in found.values())))
