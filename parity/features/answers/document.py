"""The document of ``parity answer``."""

from __future__ import annotations

from typing import Literal

from parity.document import Document
from parity.features.answers.answer import Answer, Reply


class AnswerDocument(Document, frozen=True, kw_only=True, tag="answer"):
    """A question of a source with its answer.

    ``seen``: what its author saw, empty where nothing is reported; ``why``: the reason in one line; ``experiments``:
    the gallery's entries for it; ``answer``: the explanation in Markdown; ``columns``, ``rows``: a table of numbers.
    """

    schema: Literal[1]
    id: str
    source: str
    asked: str
    seen: str
    why: str
    experiments: list[str]
    commands: list[str]
    answer: str
    columns: list[str]
    rows: list[list[float | str]]


def document(answer: Answer, evidence: Reply) -> AnswerDocument:
    """The document of an answer with its evidence."""
    return AnswerDocument(
        schema=1,
        id=answer.id,
        source=answer.source,
        asked=answer.asked,
        seen=answer.seen,
        why=answer.why,
        experiments=list(answer.experiments),
        commands=list(answer.commands),
        answer=evidence.text,
        columns=list(evidence.columns),
        rows=[list(row) for row in evidence.rows],
    )
