"""The tables of ``benchmarks.power``, as the terminal and the page show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.power.document import PowerDocument, TrialReport, change, percent
from parity.features.verify.document import number


@dataclass(frozen=True)
class Table:
    """A title, the names of the columns, and rows of text."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def alarms(report: PowerDocument) -> Table:
    """Correct code by dtype."""
    rows = []
    for dtype in report.dtypes:
        some = [row for row in report.correct if row.dtype == dtype]
        sums = [sum(getattr(row, part) for row in some) for part in ("runs", "steps", "numbers", "alarms")]
        largest = max((row.used for row in some), default=None)
        if some:
            rows.append([dtype, *(f"{one:,}" for one in sums), number(largest)])
    columns = ("dtype", "runs", "steps", "numbers", "false alarms", "largest error ÷ tolerance")
    return Table("Correct code", columns, rows)


def used(report: PowerDocument) -> Table:
    """Correct code by experiment: the largest error ÷ tolerance of any check, and what cannot be seen."""
    rows = []
    for experiment in dict.fromkeys(row.experiment for row in report.correct):
        some = {row.dtype: row for row in report.correct if row.experiment == experiment}
        shares = [some[d].used if d in some else None for d in report.dtypes]
        unseen = [f"{dtype}: {', '.join(row.unseen)}" for dtype, row in some.items() if row.unseen]
        rows.append([experiment, *map(number, shares), "; ".join(unseen) or "–"])
    return Table("Largest error ÷ tolerance", ("experiment", *report.dtypes, "cannot be seen in some run"), rows)


def caught(report: PowerDocument) -> Table:
    """Mutants by dtype."""
    columns = ("dtype", "runs", "caught", "undecidable", "equal to correct code", "missed")
    rows = [
        [r.dtype, f"{r.cases:,}", f"{r.caught:,}", *map(str, (r.undecidable, r.equal, r.missed))] for r in report.caught
    ]
    return Table("Mutants caught", columns, rows)


def named(report: PowerDocument) -> Table:
    """The causes of single faults."""
    columns = ("dtype", "caught", "in the first class", "share", "mutants always first", "median (largest) class")
    rows = [
        [
            r.dtype,
            f"{r.caught:,}",
            f"{r.first:,}",
            percent(r.first, r.caught),
            f"{r.mutants_named} of {r.mutants}",
            f"{r.median_size:g} ({r.largest_size})",
        ]
        for r in report.caught
    ]
    return Table("Cause of a single fault", columns, rows)


def pairs(report: PowerDocument) -> Table:
    """The causes of two faults at once."""
    columns = (
        "dtype",
        "caught",
        "both in the first class",
        "both in the first 3 classes",
        "both in the first 3 explanations",
        "one named",
        "none",
        "median (largest) class",
    )
    rows = [
        [
            r.dtype,
            f"{r.caught} of {r.cases}",
            f"{r.first} ({percent(r.first, r.caught)})",
            f"{r.classes} ({percent(r.classes, r.caught)})",
            f"{r.explanations} ({percent(r.explanations, r.caught)})",
            str(r.one),
            str(r.none),
            f"{r.median_size:g} ({r.largest_size})",
        ]
        for r in report.pairs
    ]
    return Table("Causes of two faults", columns, rows)


def ranges(report: PowerDocument) -> Table:
    """The smallest change of each number over the experiments, from the least to the largest."""
    names = dict.fromkeys(name for row in report.smallest for name in row.numbers)
    dtypes = [dtype for dtype in report.dtypes if any(row.dtype == dtype for row in report.smallest)]
    rows = []
    for name in names:
        cells = []
        for dtype in dtypes:
            some = [row.numbers[name] for row in report.smallest if row.dtype == dtype and name in row.numbers]
            seen = [delta for delta in some if delta is not None]
            least = change(min(seen)) if seen else ""
            most = change(max(seen)) if seen and len(seen) == len(some) else "undecidable"
            cells.append("" if not some else most if most == least or not seen else f"{least} … {most}")
        rows.append([name, *cells])
    return Table("Smallest relative change that is seen, over the experiments", ("number", *dtypes), rows)


def smallest(report: PowerDocument) -> Table:
    """The smallest change of each number in each experiment."""
    by_row: dict[tuple[str, str], dict[str, str]] = {}
    for row in report.smallest:
        for name, delta in row.numbers.items():
            by_row.setdefault((row.experiment, name), {})[row.dtype] = change(delta)
    dtypes = [dtype for dtype in report.dtypes if any(row.dtype == dtype for row in report.smallest)]
    rows = [[*key, *(cells.get(dtype, "") for dtype in dtypes)] for key, cells in by_row.items()]
    return Table("Smallest relative change that is seen", ("experiment", "number", *dtypes), rows)


def unnamed(report: PowerDocument) -> list[TrialReport]:
    """Single faults that were caught, but whose name is not in the first class."""
    return [case for case in report.singles if case.outcome == "caught"]


def unpaired(report: PowerDocument) -> list[TrialReport]:
    """Pairs that were caught, but that no explanation names."""
    return [case for case in report.doubles if case.caught and case.rank is None]


def unseen(report: PowerDocument) -> dict[str, list[TrialReport]]:
    """Runs with a fault that lie within the tolerance of correct code, by fault and dtype."""
    by_fault: dict[str, list[TrialReport]] = {}
    for case in report.singles:
        if case.outcome in ("undecidable", "equal"):
            by_fault.setdefault(case.faults[0], []).append(case)
    return by_fault
