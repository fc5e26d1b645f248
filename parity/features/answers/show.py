"""The answers for people, for machines, and as pages.

``python -m parity.features.answers.show questions > docs/questions.md``, and the same with ``gallery``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from parity.features.answers.answer import Answer, Cell, Reply

QUESTIONS = """\
# Questions and answers

Five lessons on regularisation, and what their readers asked. Every run and every question is answered with numbers
that are computed when they are asked for: `parity answer` lists the questions, `parity answer ID` computes one
answer, and so does `parity.answer(ID)` in Python ([API](api/parity.md)). Which experiments belong to which question
is in [the gallery](gallery.md). This page is written by
`python -m parity.features.answers.show questions > docs/questions.md`; a test computes it anew.

The lessons are a textbook's slides on weight decay (S0), a tutorial on regularisation and overfitting (S1), an
article on L2 regularisation in PyTorch (S2), course notes that train with weight decay from scratch and concisely
(S3), and the thread in which readers discuss the textbook (S4). The name of an experiment begins with its lesson:
`s0-scratch-lam3` is the textbook's.

In the formulas r are the residuals, n is the number of rows, η the learning rate and λ the strength of the penalty.
The penalty is λ/2·‖w‖² or λ·‖w‖₁ unless another one is written.
"""
GALLERY = """\
# The gallery

The gallery has every run of five lessons on regularisation, with what its author saw and what explains it. The
lessons are a textbook's slides on weight decay (S0), a tutorial (S1), an article (S2), course notes (S3), and the
thread in which readers discuss the textbook (S4). `parity answer ID` computes the evidence, `parity run NAME` runs an
experiment in the reference and in torch and compares every step, `parity show NAME` prints its file. All answers with
their numbers are in [questions and answers](questions.md). This page is written by
`python -m parity.features.answers.show gallery > docs/gallery.md`.
"""


def print_list(answers: Iterable[Answer], console: Console) -> None:
    """Id and question of each, below the lesson that it comes from."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("id", "what was run or asked"):
        table.add_column(column, no_wrap=column == "id")
    lesson = ""
    for answer in answers:
        if answer.source != lesson:
            table.add_row("", "")
            lesson = answer.source
            table.add_row("", f"[bold]{escape(lesson)}[/]")
        table.add_row(answer.id, escape(answer.asked))
    console.print(table)
    console.print("parity answer ID computes the answer", highlight=False)


def print_answer(answer: Answer, evidence: Reply, console: Console) -> None:
    """The question, what was seen, the answer with its table, and the commands that show more."""
    console.print(f"[bold]{escape(answer.id)}[/] ({escape(answer.source)}): {escape(answer.asked)}", highlight=False)
    if answer.seen:
        console.print(f"[dim]Seen:[/] {escape(answer.seen)}", highlight=False)
    console.print(f"[dim]Why:[/]  {escape(answer.why)}\n", highlight=False)
    console.print(Markdown(evidence.text))
    if evidence.rows:
        table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0))
        for index, column in enumerate(evidence.columns):
            table.add_column(escape(column), justify="left" if _words(evidence, index) else "right")
        for row in evidence.rows:
            table.add_row(*(escape(number(cell)) for cell in row))
        console.print(table)
    for command in answer.commands:
        console.print(f"  {escape(command)}", highlight=False, soft_wrap=True)


def questions_page(answers: Mapping[str, Answer]) -> str:
    """docs/questions.md: every answer, computed now."""
    index = "".join(f"* [{answer.asked}](#{answer.id})\n" for answer in answers.values())
    return "\n".join([QUESTIONS, index, *(_section(answer) for answer in answers.values())])


def gallery_page(answers: Mapping[str, Answer]) -> str:
    """docs/gallery.md: the table of entries; it computes nothing."""
    columns = ("lesson", "what was run or asked", "experiments", "what was seen", "why", "commands")
    lines = [_line(columns), _line(["---"] * len(columns))]
    for answer in answers.values():
        commands = (f"parity answer {answer.id}", *answer.commands)
        lines.append(
            _line(
                [
                    answer.source,
                    f"[{_cell(answer.asked)}](questions.md#{answer.id})",
                    "<br>".join(f"`{name}`" for name in answer.experiments) or "–",
                    _cell(answer.seen) or "–",
                    _cell(answer.why),
                    "<br>".join(f"`{command}`" for command in commands),
                ]
            )
        )
    return GALLERY + "\n" + "\n".join(lines) + "\n"


def _section(answer: Answer) -> str:
    evidence = answer.evidence()
    seen = f"* Seen: {answer.seen}.\n" if answer.seen else ""
    lines = []
    if evidence.rows:
        lines = [_line(map(_cell, evidence.columns)), _line(["---"] * len(evidence.columns))]
        lines += [_line(_cell(number(cell)) for cell in row) for row in evidence.rows]
    table = "\n".join(lines) + "\n\n" if lines else ""
    commands = "\n".join((f"parity answer {answer.id}", *answer.commands))
    return (
        f'<a id="{answer.id}"></a>\n\n## {answer.asked}\n\n* From: {answer.source}.\n{seen}* Why: {answer.why}.\n\n'
        f"{evidence.text}\n\n{table}```sh\n{commands}\n```\n"
    )


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    """Markdown's tables are cut at every bar."""
    return text.replace("|", "\\|")


def number(cell: Cell) -> str:
    """Three digits, which every machine has in common."""
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)


def _words(evidence: Reply, column: int) -> bool:
    return isinstance(evidence.rows[0][column], str)


if __name__ == "__main__":
    from parity.features.answers.answers import ANSWERS

    page = {"questions": questions_page, "gallery": gallery_page}[sys.argv[1]]
    print(page(ANSWERS), end="")
