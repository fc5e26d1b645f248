"""``parity answer``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from parity.errors import InputError, nearest


def answer_command(
    question: Annotated[str | None, typer.Argument(metavar="[ID]", help="Compute this answer.")] = None,
    json: Annotated[str | None, typer.Option(metavar="FILE|-", help="The document here, too; - for output.")] = None,
) -> None:
    """Answer the questions of the documents that the gallery comes from, with numbers computed now."""
    from rich.console import Console

    from parity.report.files import check_place, write_whole
    from parity.report.study.answers import print_answer, print_list, to_json
    from parity.study.answers import ANSWERS

    if question is not None and question not in ANSWERS:
        raise InputError(f"{question}: no such question; `parity answer` lists them{nearest(question, ANSWERS)}")
    if question is None and json is not None:
        raise InputError("--json: is of one answer; name it: parity answer ID --json FILE")
    if json not in (None, "-"):
        check_place(Path(str(json)))
    console = Console(stderr=json == "-", width=None if sys.stdout.isatty() else 120)
    if question is None:
        print_list(ANSWERS.values(), console)
        return
    answer = ANSWERS[question]
    evidence = answer.evidence()
    print_answer(answer, evidence, console)
    if json == "-":
        print(to_json(answer, evidence))
    elif json is not None:
        write_whole(Path(json), to_json(answer, evidence) + "\n")
