"""``benchmarks.power``: measure the cases, keep every result as it comes, and put them into one document."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.power.case import Result, RightCause, Trial
from benchmarks.power.measure import measure
from benchmarks.power.summary import document
from parity.errors import InputError
from parity.processes import work_all

RESULTS, EARLIER = "results.jsonl", "results-earlier.jsonl"
Progress = Callable[[Counter[str], int], None]
"""Called with the counts of outcomes so far and the number of cases."""


def power(
    wanted: Sequence[Trial],
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    folder: Path,
    resume: bool = False,
    progress: Progress,
) -> dict[str, Any]:
    """Measure what is not in the folder's results yet, append each result as it comes, and return the document.

    Raises :class:`InputError` where the folder cannot be written, or holds results of another torch.
    """
    results = _earlier(folder / RESULTS, wanted) if resume else {}
    counts = Counter[str](result.outcome for result in results.values())
    progress(counts, len(wanted))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not resume and (folder / RESULTS).exists():
            (folder / RESULTS).replace(folder / EARLIER)
        file = (folder / RESULTS).open("a", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from error
    with file:
        missing = [case for case in wanted if case.id not in results]
        for result in work_all(missing, jobs, measure, _broken, executor):
            file.write(json.dumps({**asdict(result), "torch": torch.__version__}, ensure_ascii=False) + "\n")
            file.flush()
            results[result.case.id] = result
            counts[result.outcome] += 1
            progress(counts, len(wanted))
    return document([results[case.id] for case in wanted])


def exit_code(summary: Mapping[str, Any]) -> int:
    """1 on a false alarm, or a mutant that is not caught where it can be seen; else 2 on an error; else 0."""
    if summary["alarms"] or summary["uncaught"]:
        return 1
    return 2 if summary["errors"] else 0


def _broken(case: Trial, why: str, seconds: float) -> Result:
    return Result(case=case, outcome="error", text=why, seconds=seconds)


def _earlier(path: Path, wanted: Sequence[Trial]) -> dict[str, Result]:
    """The results that an earlier run left, but for errors; a line that was cut off is measured again."""
    results: dict[str, Result] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            result, version = _parsed(json.loads(line))
        except (ValueError, TypeError, KeyError):
            continue
        if version != torch.__version__:
            raise InputError(f"{path}: holds results of torch {version}, not {torch.__version__}; choose --out anew")
        if result.outcome != "error":
            results[result.case.id] = result
    return {case.id: results[case.id] for case in wanted if case.id in results}


def _parsed(record: dict[str, Any]) -> tuple[Result, str]:
    version, case, cause = record.pop("torch"), record.pop("case"), record.pop("cause")
    if cause is not None:
        cause = RightCause(**{**cause, "findings": tuple(cause["findings"])})
    case = Trial(**{**case, "faults": tuple(case["faults"])})
    return Result(**{**record, "case": case, "cause": cause, "unseen": tuple(record["unseen"])}), version
