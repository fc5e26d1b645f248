"""``parity schema``."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.completion import documents

EXAMPLES = ("parity schema", "parity schema check")


def schema_command(
    document: Annotated[
        str | None,
        typer.Argument(
            metavar="[DOCUMENT]",
            help="The document whose JSON Schema is printed; without it, list all.",
            autocompletion=documents,
        ),
    ] = None,
) -> None:
    """List the JSON documents that the commands write, or print the schema of one of them."""
    from parity.features.schema.schema import schema, to_text
    from parity.output import Output

    if document is None:
        schema()._print(Output().console)
    else:
        print(to_text(schema(document)))
