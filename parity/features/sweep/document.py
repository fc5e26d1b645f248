"""A sweep as data: a JSON document with what the seeds have in common, and a CSV table with every run."""

from __future__ import annotations

import csv
import io
from importlib.metadata import version
from typing import ClassVar, Literal

import msgspec
import numpy as np

from parity.document import Document, Number
from parity.features.sweep.beside import Beside
from parity.features.sweep.marks import Mark
from parity.features.sweep.run import Sweep
from parity.features.sweep.words import sentences
from parity.installed import __version__
from parity.judge.verdict import VerdictName
from refimpl.types import Array

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


class MarkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a ``rule`` chooses in each seed: the λ, the losses there, and ``excess``, how much larger the loss is than
    the least of all runs, as a share of that. Losses that are not known are null.
    """

    rule: str
    strengths: list[Number]
    validation_loss: list[Number] | None
    expected_loss: list[Number] | None
    ridge_expected_loss: list[Number] | None
    excess: list[Number]


class TorchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The same runs in torch: verdict → number of runs, what the judge says of those that disagree, and the largest
    relative difference of a final number.
    """

    dtype: str
    counts: dict[VerdictName, int]
    texts: list[str]
    largest_difference: Number


class SweepDocument(Document, frozen=True, kw_only=True, tag="sweep"):
    """A penalty over its strength λ. ``strengths``: the values of λ; ``diverges``: at each of them in how many seeds;
    ``curves``: by name, over the seeds the minimum, the quartiles and the maximum at each λ, to 6 digits; ``prior``:
    the λ of prior and noise, null where it is unknown; ``answer``: in sentences.
    """

    compact: ClassVar[bool] = True

    schema: Literal[1]
    experiment: str
    penalty: str
    grid: str
    seeds: list[int]
    strengths: list[float]
    diverges: list[int]
    curves: dict[str, list[list[Number]]]
    prior: Number | None
    marks: list[MarkRecord]
    answer: list[str]
    torch: TorchRecord | None
    environment: dict[str, str]


def document(sweep: Sweep) -> SweepDocument:
    """The document of a sweep."""
    return SweepDocument(
        schema=1,
        experiment=sweep.experiment.name,
        penalty=sweep.kind,
        grid=sweep.grid.text,
        seeds=list(sweep.seeds),
        strengths=sweep.grid.values.tolist(),
        diverges=sweep.curves.rose.sum(axis=0).tolist(),
        curves={name: _bands(values) for name, values in _numbers(sweep).items()},
        prior=sweep.prior,
        marks=[_mark(mark) for mark in sweep.marks],
        answer=sentences(sweep, sweep.marks),
        torch=None if sweep.in_torch is None else _beside(sweep.in_torch),
        environment={"parity": __version__} | {name: version(name) for name in ("numpy", "scipy")},
    )


def to_csv(sweep: Sweep, beside: Beside | None) -> str:
    """A line for each seed and λ; the columns are :class:`parity.features.sweep.curves.Curves`, with torch's beside."""
    columns = {"diverges": sweep.curves.rose.astype(int), **_numbers(sweep)}
    if beside is not None:
        columns |= {f"torch_{name}": values for name, values in _runs(beside).items()}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["seed", "strength", *columns])
    for i, seed in enumerate(sweep.seeds):
        for j, strength in enumerate(sweep.grid.values.tolist()):
            writer.writerow([seed, strength, *(values[i, j] for values in columns.values())])
    return text.getvalue()


def _numbers(sweep: Sweep) -> dict[str, Array]:
    return {name: values for name, values in sweep.curves.named().items() if name != "rose"}


def _bands(values: Array) -> list[list[Number]]:
    with np.errstate(invalid="ignore"):  # of a run that diverges
        bands = np.quantile(values, QUANTILES, axis=0).tolist()
    return [[float(f"{value:.6g}") for value in band] for band in bands]


def _mark(mark: Mark) -> MarkRecord:
    return MarkRecord(
        rule=mark.rule,
        strengths=mark.strengths.tolist(),
        validation_loss=_listed(mark.validation_loss),
        expected_loss=_listed(mark.expected_loss),
        ridge_expected_loss=_listed(mark.ridge_expected_loss),
        excess=mark.excess.tolist(),
    )


def _listed(values: Array | None) -> list[Number] | None:
    return None if values is None else values.tolist()


def _runs(beside: Beside) -> dict[str, Array]:
    arrays = {
        name: getattr(beside, name) for name in ("train_loss", "validation_loss", "norm", "difference", "verdicts")
    }
    return {name: values for name, values in arrays.items() if values is not None}


def _beside(beside: Beside) -> TorchRecord:
    """The runs themselves are in the CSV table."""
    return TorchRecord(
        dtype=beside.dtype,
        counts=beside.counts,  # type: ignore[arg-type]  # the judge's verdicts
        texts=list(beside.texts),
        largest_difference=float(np.nanmax(beside.difference, initial=0.0)),
    )
