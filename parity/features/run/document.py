"""The report as JSON, schema 1."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parity.output import to_json as as_json
from parity.output import write_whole

if TYPE_CHECKING:
    from parity.features.run.results import Report, Run


def to_json(report: Report) -> str:
    """``{"schema": 1, "data": {…}, "runs": […], "environment": {…}}``; numbers that are not finite are strings."""
    document = {
        "schema": 1,
        "data": {reference.experiment.name: reference.data for reference in report.references},
        "runs": [_run(one) for one in report.runs],
        "environment": report.environment,
    }
    return as_json(document)


def write_json(report: Report, path: Path) -> Path:
    return write_whole(path, to_json(report) + "\n")


def _run(one: Run) -> dict[str, Any]:
    first = one.verdict.first
    return {
        "experiment": one.experiment.name,
        "backend": one.backend,
        "device": one.setting.device,
        "dtype": one.setting.dtype,
        "formulation": one.setting.formulation,
        "implementation": one.setting.implementation,
        "verdict": one.verdict.name,
        "text": one.verdict.text,
        "used": one.verdict.used,
        "undecidable": list(one.verdict.undecidable),
        "final": final_values(one),
        "digits": one.digits,
        "ridge_distance": one.ridge_distance,
        "first_disagreement": asdict(first) | {"quantity": str(first.quantity)} if first else None,
        "repro": one.repro.name if one.repro else None,
    }


def final_values(one: Run) -> dict[str, float | None] | None:
    """Losses without penalty, ‖w‖₂ and ½‖w‖² at the end; None where nothing ran."""
    t = one.trajectory
    if t is None:
        return None
    norm = float(t.norm[-1, 0])
    return {
        "train_loss": float(t.train_loss[-1, 0]),
        "validation_loss": float(t.validation_loss[-1, 0]) if t.validation_loss is not None else None,
        "weight_norm": norm,
        "half_squared_norm": norm * norm / 2,
    }
