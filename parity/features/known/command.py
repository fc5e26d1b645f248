"""``parity known``."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.completion import facts
from parity.options import Json

EXAMPLES = ("parity known", "parity known adam-decay-is-coupled")


def known_command(
    fact: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]", help="The fact to show whole, with its script; without it, try all.", autocompletion=facts
        ),
    ] = None,
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
