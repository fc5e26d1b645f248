"""The document of ``parity compare``."""

from __future__ import annotations

from typing import Literal

import msgspec

from parity.document import Document, Number
from parity.features.check.document import CheckDocument
from parity.features.check.document import document as check_document
from parity.features.compare.compare import Comparison, Difference
from parity.features.compare.words import text_of


class DifferenceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One number of both runs. ``step``: from 0, −1 before the first one; ``relative``: |a − b| ÷ the larger of the
    two; ``share``: |a − b| ÷ what is allowed, ``"inf"`` where nothing is.
    """

    tensor: str
    index: list[int]
    step: int
    a: Number
    b: Number
    relative: Number
    share: Number


class TensorRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``numbers``: how many were compared; ``share``: the largest difference ÷ what is allowed; ``first``: where the
    runs part, null where they do not; ``largest``, ``last``: the largest difference, and that of the last step.
    """

    name: str
    numbers: int
    share: Number
    first: DifferenceRecord | None
    largest: DifferenceRecord
    last: DifferenceRecord


class CompareDocument(Document, frozen=True, kw_only=True, tag="compare"):
    """Two recorded runs, ``a`` and ``b``. ``against``: the experiment, empty where none is given; ``ends``: the last
    step of each; ``checks``: the documents of ``parity check`` of both, where an experiment is given.
    """

    schema: Literal[1]
    a: str
    b: str
    against: str
    verdict: Literal["agree", "disagree"]
    text: str
    first: DifferenceRecord | None
    tensors: list[TensorRecord]
    ends: list[int]
    checks: list[CheckDocument]
    notes: list[str]


def document(comparison: Comparison) -> CompareDocument:
    """The document of a comparison."""
    places = (comparison.a, comparison.b)
    return CompareDocument(
        schema=1,
        a=comparison.a,
        b=comparison.b,
        against=comparison.against,
        verdict=comparison.verdict,
        text=text_of(comparison),
        first=_difference(comparison.first) if comparison.first else None,
        tensors=[
            TensorRecord(
                name=one.name,
                numbers=one.numbers,
                share=one.share,
                first=_difference(one.first) if one.first else None,
                largest=_difference(one.largest),
                last=_difference(one.last),
            )
            for one in comparison.tensors
        ],
        ends=list(comparison.ends),
        checks=[check_document(place, one, {}) for place, one in zip(places, comparison.diagnoses, strict=False)],
        notes=list(comparison.notes),
    )


def _difference(difference: Difference) -> DifferenceRecord:
    return DifferenceRecord(
        tensor=difference.tensor,
        index=list(difference.index),
        step=difference.step,
        a=difference.a,
        b=difference.b,
        relative=difference.relative,
        share=difference.share,
    )
