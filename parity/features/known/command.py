"""``parity known``."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.errors import InputError, nearest, spelled
from parity.options import Json


def known_command(
    fact: Annotated[str | None, typer.Argument(metavar="[ID]", help="Show this fact whole, with its script.")] = None,
    json: Json = None,
) -> None:
    """Try what is known to be wrong or surprising in torch, and say whether it still is."""
    from importlib.metadata import version
    from platform import platform

    from parity.features.known.known import KNOWN
    from parity.features.known.show import print_fact, print_facts, to_json
    from parity.output import Output

    fact = spelled(fact, KNOWN) if fact is not None else None
    if fact is not None and fact not in KNOWN:
        raise InputError(f"{fact}: no such fact; `parity known` lists them{nearest(fact, KNOWN)}")
    output = Output(json)
    observations = {one: one.observe() for one in KNOWN.values() if fact in (None, one.id)}
    if fact is not None:
        print_fact(KNOWN[fact], observations[KNOWN[fact]], output.console)
    else:
        print_facts(observations, output.console)
    output.document(to_json(observations, {"torch": version("torch"), "platform": platform()}))
    raise typer.Exit(int(any(one.state == "no longer: remove me" for one in observations.values())))
