"""``parity known``."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.options import Json


def known_command(
    fact: Annotated[str | None, typer.Argument(metavar="[ID]", help="Show this fact whole, with its script.")] = None,
    json: Json = None,
) -> None:
    """Try what is known to be wrong or surprising in torch, and say whether it still is."""
    from importlib.metadata import version
    from platform import platform

    from parity.features.known.ask import known
    from parity.features.known.show import to_json
    from parity.output import Output

    output = Output(json)
    observed = known(fact)
    observed._print(output.console)
    output.document(to_json(observed.observations, {"torch": version("torch"), "platform": platform()}))
    raise typer.Exit(int(observed.gone))
