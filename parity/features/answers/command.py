"""``parity answer``."""

from __future__ import annotations

from typing import Annotated

import typer

from parity.errors import InputError, nearest, spelled
from parity.options import Json


def answer_command(
    question: Annotated[str | None, typer.Argument(metavar="[ID]", help="Compute this answer.")] = None,
    json: Json = None,
) -> None:
    """Answer the questions of the documents that the gallery comes from, with numbers computed now."""
    from parity.features.answers.answers import ANSWERS
    from parity.features.answers.show import print_answer, print_list, to_json
    from parity.output import Output

    question = spelled(question, ANSWERS) if question is not None else None
    if question is not None and question not in ANSWERS:
        raise InputError(f"{question}: no such question; `parity answer` lists them{nearest(question, ANSWERS)}")
    if question is None and json is not None:
        raise InputError("--json: is of one answer; name it: parity answer ID --json FILE")
    output = Output(json)
    if question is None:
        print_list(ANSWERS.values(), output.console)
        return
    answer = ANSWERS[question]
    evidence = answer.evidence()
    print_answer(answer, evidence, output.console)
    output.document(to_json(answer, evidence))
