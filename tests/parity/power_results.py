"""Results of ``benchmarks.power`` that were not measured."""

from __future__ import annotations

from typing import Any

from benchmarks.power.case import Result, RightCause, Trial


def result(outcome: Any, *faults: str, dtype: str = "float32", **parts: Any) -> Result:
    kind: Any = {0: "correct", 1: "single", 2: "pair"}[len(faults)]
    found = RightCause(named=len(faults), rank=1, place=1, size=1, findings=faults)
    case = Trial(kind=kind, faults=faults, experiment="check-sgd", dtype=dtype)
    defaults: dict[str, Any] = {"cause": found if faults else None, "checks": {"initial": 0.0, "weight": 30.0}}
    return Result(case=case, outcome=outcome, **{**defaults, **parts})
