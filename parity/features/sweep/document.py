"""A sweep as data: a JSON document with what the seeds have in common, and a CSV table with every run."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import fields
from importlib.metadata import version
from typing import Any

import numpy as np

from parity.features.sweep.beside import Beside
from parity.features.sweep.marks import Mark
from parity.features.sweep.run import Sweep
from parity.features.sweep.words import sentences
from parity.installed import __version__
from parity.output import to_json as as_json
from refimpl.types import Array

QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def to_json(sweep: Sweep, marks: Sequence[Mark], beside: Beside | None) -> str:
    """Schema 1. ``curves[name]``: over the seeds, the ``QUANTILES`` at each λ, to 6 digits; ``marks``: in each seed."""
    document: dict[str, Any] = {
        "schema": 1,
        "experiment": sweep.experiment.name,
        "penalty": sweep.kind,
        "grid": sweep.grid.text,
        "seeds": list(sweep.seeds),
        "strengths": sweep.grid.values.tolist(),
        "diverges": sweep.curves.rose.sum(axis=0).tolist(),
        "curves": {name: _bands(values) for name, values in _numbers(sweep).items()},
        "prior": sweep.prior,
        "marks": [_mark(mark) for mark in marks],
        "answer": sentences(sweep, marks),
        "torch": None if beside is None else _beside(beside),
        "environment": {"parity": __version__} | {name: version(name) for name in ("numpy", "scipy")},
    }
    return as_json(document, indent=None).replace('], "', '],\n "') + "\n"


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


def _bands(values: Array) -> list[list[float]]:
    with np.errstate(invalid="ignore"):  # of a run that diverges
        bands = np.quantile(values, QUANTILES, axis=0).tolist()
    return [[float(f"{value:.6g}") for value in band] for band in bands]


def _mark(mark: Mark) -> dict[str, Any]:
    given = {field.name: getattr(mark, field.name) for field in fields(mark)}
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in given.items()}


def _runs(beside: Beside) -> dict[str, Array]:
    arrays = {
        name: getattr(beside, name) for name in ("train_loss", "validation_loss", "norm", "difference", "verdicts")
    }
    return {name: values for name, values in arrays.items() if values is not None}


def _beside(beside: Beside) -> dict[str, Any]:
    """The runs themselves are in the CSV table."""
    largest = np.nanmax(beside.difference, initial=0.0)
    return {
        "dtype": beside.dtype,
        "counts": beside.counts,
        "texts": list(beside.texts),
        "largest_difference": float(largest),
    }
