"""``parity answer``."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.completion import questions
from parity.errors import InputError
from parity.options import Json

EXAMPLES = ("parity answer", "parity answer s0-nine-times")


def answer_command(
    question: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="The question to answer; without it, list all.", autocompletion=questions),
    ] = None,
    json: Json = None,
) -> None:
    """Answer the questions that readers of lessons on weight decay asked, with numbers computed now."""
    from parity.features.answers.ask import answer
    from parity.output import Output

    if question is None and json is not None:
        raise InputError("--json: is of one answer; name it: parity answer ID --json FILE")
    output = Output(json)
    if question is None:
        answer()._print(output.console)
        return
    answered = answer(question)
    answered._print(output.console)
    output.document(answered.to_json())
