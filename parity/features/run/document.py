"""The document of ``parity run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from parity.document import Document, Number
from parity.judge.verdict import VerdictName
from parity.step.expected import Disagreement

if TYPE_CHECKING:
    from parity.features.run.results import Report, Run


class FinalValues(msgspec.Struct, frozen=True, kw_only=True):
    """Losses without penalty, ‖w‖₂ and ½‖w‖² at the end."""

    train_loss: Number
    validation_loss: Number | None
    weight_norm: Number
    half_squared_norm: Number


class FirstDisagreement(msgspec.Struct, frozen=True, kw_only=True):
    """The first number that no correct implementation can have: the framework's, the reference's, and what is allowed
    between them. Steps are counted from 0.
    """

    quantity: str
    step: int
    index: list[int]
    candidate: Number
    expected: Number
    allowance: Number


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment in one setting.

    ``used``: by quantity, the largest error ÷ tolerance. ``undecidable``: hyper-parameters that this run cannot see.
    ``final``: null where nothing ran. ``digits``: to which the free runs agree. ``ridge_distance``: ‖w − w*‖₂ of the
    final weights to the exact minimiser, where there is one. ``repro``: the script that shows the first disagreement.
    """

    experiment: str
    backend: str
    device: str
    dtype: str
    formulation: str
    implementation: str
    verdict: VerdictName
    text: str
    used: dict[str, Number]
    undecidable: list[str]
    final: FinalValues | None
    digits: Number | None
    ridge_distance: Number | None
    first_disagreement: FirstDisagreement | None
    repro: str | None


class RunDocument(Document, frozen=True, kw_only=True, tag="run"):
    """What ``parity run`` found. ``data``: by experiment, the data in words; ``environment``: versions and machine."""

    schema: Literal[1]
    data: dict[str, str]
    runs: list[RunRecord]
    environment: dict[str, str]


def document(report: Report) -> RunDocument:
    """The document of a report."""
    return RunDocument(
        schema=1,
        data={reference.experiment.name: reference.data for reference in report.references},
        runs=[_run(one) for one in report.runs],
        environment=report.environment,
    )


def _run(one: Run) -> RunRecord:
    return RunRecord(
        experiment=one.experiment.name,
        backend=one.backend,
        device=one.setting.device,
        dtype=one.setting.dtype,
        formulation=one.setting.formulation,
        implementation=one.setting.implementation,
        verdict=one.verdict.name,
        text=one.verdict.text,
        used=dict(one.verdict.used),
        undecidable=list(one.verdict.undecidable),
        final=final_values(one),
        digits=one.digits,
        ridge_distance=one.ridge_distance,
        first_disagreement=_first(one.verdict.first),
        repro=one.repro.name if one.repro else None,
    )


def _first(disagreement: Disagreement | None) -> FirstDisagreement | None:
    if disagreement is None:
        return None
    return FirstDisagreement(
        quantity=str(disagreement.quantity),
        step=disagreement.step,
        index=list(disagreement.index),
        candidate=disagreement.candidate,
        expected=disagreement.expected,
        allowance=disagreement.allowance,
    )


def final_values(one: Run) -> FinalValues | None:
    """The values at the end; None where nothing ran."""
    t = one.trajectory
    if t is None:
        return None
    norm = float(t.norm[-1, 0])
    return FinalValues(
        train_loss=float(t.train_loss[-1, 0]),
        validation_loss=float(t.validation_loss[-1, 0]) if t.validation_loss is not None else None,
        weight_norm=norm,
        half_squared_norm=norm * norm / 2,
    )
