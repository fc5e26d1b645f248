"""The document of ``parity.watch``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from parity.document import Document, Number

if TYPE_CHECKING:
    from parity.features.watch.report import WatchReport


class ViolationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The worst element of one quantity of one parameter after one step: the optimizer's number, the reference's, and
    what is allowed between them. ``missing``: which side does not keep this state at all, or empty.
    """

    parameter: str
    group: int
    step: int
    quantity: str
    index: list[int]
    candidate: Number
    expected: Number
    allowance: Number
    missing: str


class NoteRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen beside the steps: of which parameters, first at which sampled step, and at how many of them."""

    kind: str
    parameters: list[str]
    step: int
    times: int
    text: str


class WatchDocument(Document, frozen=True, kw_only=True, tag="watch"):
    """What a watch has seen.

    ``steps``: made while it was watched, of which ``judged`` were; ``numbers``: compared, ``unbounded``: which have no
    bound; ``shares``: by quantity the largest error ÷ tolerance; ``unsupported``: why a step was not judged; ``notes``:
    what was seen beside the steps.
    """

    schema: Literal[1]
    optimizer: str
    steps: int
    judged: int
    numbers: int
    unbounded: int
    shares: dict[str, Number]
    violations: list[ViolationRecord]
    unsupported: list[str]
    seconds: float
    notes: list[NoteRecord] = msgspec.field(default_factory=list)


def document(report: WatchReport) -> WatchDocument:
    """The document of a report."""
    return WatchDocument(
        schema=1,
        optimizer=report.optimizer,
        steps=report.steps,
        judged=report.judged,
        numbers=report.numbers,
        unbounded=report.unbounded,
        shares=dict(report.shares),
        violations=[
            ViolationRecord(
                parameter=one.parameter,
                group=one.group,
                step=one.step,
                quantity=one.quantity,
                index=list(one.index),
                candidate=one.candidate,
                expected=one.expected,
                allowance=one.allowance,
                missing=one.missing,
            )
            for one in report.violations
        ],
        unsupported=list(report.unsupported),
        seconds=report.seconds,
        notes=[
            NoteRecord(
                kind=note.kind, parameters=list(note.parameters), step=note.step, times=note.times, text=str(note)
            )
            for note in report.notes
        ],
    )
