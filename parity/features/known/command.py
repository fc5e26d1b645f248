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
    from parity.features.known.ask import known
    from parity.output import Output

    output = Output(json)
    observed = known(fact)
    observed._print(output.console)
    output.document(observed.to_json())
    raise typer.Exit(int(observed.gone))
