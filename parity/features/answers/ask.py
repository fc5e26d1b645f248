"""``parity.answer``: one answer with its evidence, or the list of all questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from parity.errors import InputError, nearest, spelled
from parity.features.answers.answer import Answer, Reply
from parity.features.answers.answers import ANSWERS
from parity.shown import Documented, Listing

if TYPE_CHECKING:
    from parity.features.answers.document import AnswerDocument
    from parity.shown import Console


@dataclass(frozen=True, repr=False)
class Answered(Documented):
    """An answer and the ``evidence`` that was computed for it. Printed, it is the text of ``parity answer ID``."""

    answer: Answer
    evidence: Reply

    def _document(self) -> AnswerDocument:
        from parity.features.answers.document import document

        return document(self.answer, self.evidence)

    def _print(self, console: Console) -> None:
        from parity.features.answers.show import print_answer

        print_answer(self.answer, self.evidence, console)


@overload
def answer(question: None = None) -> Listing: ...
@overload
def answer(question: str) -> Answered: ...
def answer(question: str | None = None) -> Answered | Listing:
    """Answer a question that readers of the lessons in the gallery asked, with numbers computed now.

    ``question``: its id; without one all of them are listed. Raises :class:`parity.errors.InputError`.
    """
    if question is None:
        return Listing(tuple(ANSWERS), _list)
    question = spelled(str(question), ANSWERS)
    if question not in ANSWERS:
        raise InputError(f"{question}: no such question; `parity answer` lists them{nearest(question, ANSWERS)}")
    return Answered(ANSWERS[question], ANSWERS[question].evidence())


def _list(console: Console) -> None:
    from parity.features.answers.show import print_list

    print_list(ANSWERS.values(), console)
