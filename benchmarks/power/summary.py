"""The results of all cases as one document, schema 2, with the rates that are published."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

import torch

from benchmarks.power.case import Result
from benchmarks.power.causes import NAMELESS
from benchmarks.power.mutants import FAMILIES, MUTANTS
from parity.document import json_value
from parity.installed import __version__

FAMILY = {mutant.id: name for name, family in FAMILIES.items() for mutant in family}
FIRST_CLASSES = FIRST_EXPLANATIONS = 3


def document(results: Sequence[Result]) -> dict[str, Any]:
    """The document that ``--json`` writes; numbers that are not finite are strings."""
    of = {kind: [r for r in results if r.case.kind == kind] for kind in ("correct", "single", "pair", "smallest")}
    faulty = [*of["single"], *of["pair"]]
    contents = {
        "schema": 2,
        "seed": min((r.case.seed for r in results), default=0),
        "mutants": len({r.case.faults for r in of["single"]}),
        "alarms": [_line(r) for r in of["correct"] if r.outcome == "alarm"],
        "uncaught": [_line(r) for r in faulty if _uncaught(r)],
        "errors": [_line(r) for r in results if r.outcome == "error"],
        "correct": [_correct(some) for some in _groups(of["correct"])],
        "caught": [_rates(dtype, some) for dtype, some in _by_dtype(of["single"])],
        "pairs": [_rates(dtype, some) for dtype, some in _by_dtype(of["pair"])],
        "cases": [_case(r) for r in faulty],
        "smallest": [_smallest(r) for r in of["smallest"] if r.outcome == "measured"],
        "environment": environment(),
    }
    plained: dict[str, Any] = json_value(contents)
    return plained


def environment() -> dict[str, str]:
    """Versions and machine."""
    return {
        "parity": __version__,
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "CPU capability": torch.backends.cpu.get_cpu_capability(),
    }


def _uncaught(result: Result) -> bool:
    """Not caught where it can be seen; elsewhere only a check that was broken without a disagreement counts."""
    if result.outcome == "missed":
        return True
    can_be_seen = result.case.kind == "single" and result.case.dtype in MUTANTS[result.case.faults[0]].dtypes
    return can_be_seen and result.outcome in ("undecidable", "equal")


def _line(result: Result) -> dict[str, str]:
    return {"id": result.case.id, "outcome": result.outcome, "text": result.text}


def _groups(results: Sequence[Result]) -> list[list[Result]]:
    """The results in groups by experiment and dtype."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.case.experiment, result.case.dtype), []).append(result)
    return list(groups.values())


def _by_dtype(results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    dtypes = dict.fromkeys(result.case.dtype for result in results)
    return [(dtype, [result for result in results if result.case.dtype == dtype]) for dtype in dtypes]


def _correct(some: Sequence[Result]) -> dict[str, Any]:
    """Correct runs of one experiment in one dtype; ``checks``: the largest error ÷ tolerance of all runs."""
    case = some[0].case
    names = dict.fromkeys(name for result in some for name in result.checks)
    return {
        "experiment": case.experiment,
        "dtype": case.dtype,
        "runs": len(some),
        "steps": sum(result.steps for result in some),
        "numbers": sum(result.numbers for result in some),
        "alarms": sum(result.outcome == "alarm" for result in some),
        "undecidable": sum(bool(result.unseen) for result in some),
        "unseen": sorted({name for result in some for name in result.unseen}),
        "checks": {name: max(result.checks.get(name, 0.0) for result in some) for name in names},
    }


def _rates(dtype: str, some: Sequence[Result]) -> dict[str, Any]:
    """How many of the cases were caught, and of these how many had all causes named, and where.

    ``first``: in the first class. ``classes``, ``explanations``: in one of the first three. ``one``, ``none``: of a
    pair the first class has one only, or neither.
    """
    caught = [result for result in some if result.outcome in ("named", "caught")]
    causes = [result.cause for result in caught if result.cause is not None]
    sizes = [cause.size for cause in causes]
    first = sum(cause.rank == 1 for cause in causes)
    mutants = {result.case.faults for result in caught}
    whole = mutants - {result.case.faults for result in caught if result.outcome != "named"}
    return {
        "dtype": dtype,
        "cases": len(some),
        "caught": len(caught),
        "undecidable": _count(some, "undecidable"),
        "equal": _count(some, "equal"),
        "missed": _count(some, "missed"),
        "errors": _count(some, "error"),
        "first": first,
        "classes": sum(cause.rank is not None and cause.rank <= FIRST_CLASSES for cause in causes),
        "explanations": sum(cause.place is not None and cause.place <= FIRST_EXPLANATIONS for cause in causes),
        "one": sum(cause.rank != 1 and cause.named >= 1 for cause in causes),
        "none": sum(cause.rank != 1 and cause.named == 0 for cause in causes),
        "mutants": len(mutants),
        "mutants_named": len(whole),
        "median_size": statistics.median(sizes) if sizes else 0,
        "largest_size": max(sizes, default=0),
    }


def _count(some: Iterable[Result], outcome: str) -> int:
    return sum(result.outcome == outcome for result in some)


def _case(result: Result) -> dict[str, Any]:
    """One run with a fault, or with two."""
    case, cause = result.case, result.cause
    return {
        "faults": list(case.faults),
        "family": FAMILY[case.faults[0]] if len(case.faults) == 1 else "pair",
        "experiment": case.experiment,
        "dtype": case.dtype,
        "outcome": result.outcome,
        "nameless": case.faults[0] in NAMELESS,
        "checks": dict(result.checks),
        "named": cause.named if cause else 0,
        "rank": cause.rank if cause else None,
        "place": cause.place if cause else None,
        "size": cause.size if cause else 0,
        "findings": list(cause.findings) if cause else [],
        "text": result.text,
    }


def _smallest(result: Result) -> dict[str, Any]:
    case = result.case
    return {"experiment": case.experiment, "dtype": case.dtype, "numbers": dict(result.smallest)}
