"""docs/power.md: what was measured and how, tables and picture, from the JSON document alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.power.blind import Blind, each, read_blind, scores
from benchmarks.power.document import PowerDocument, TrialReport, read
from benchmarks.power.tables import (
    Table,
    alarms,
    caught,
    named,
    pairs,
    ranges,
    smallest,
    unnamed,
    unpaired,
    unseen,
    used,
)
from parity.markdown import as_text

INTRODUCTION = """\
# The power of the judge

How often does `parity check` accuse correct code, which faults does it catch, does it name the right cause, and how
small a fault does it see? `python -m benchmarks.power` measures that, and this page and
its picture are written from its JSON document:

```sh
python -m benchmarks.power --out power{seed}
python -m benchmarks.power page power/report.json docs benchmarks/results/blind.json
```

Every run is a training program in plain torch (`benchmarks/power/mutants/`) on one of the `check-*` experiments. The
judge is given what the program recorded, weights and losses after each step, what torch's hooks saw, and the
experiment; it does not see the program.

Of the 133 programs 99 were written without sight of the names that `parity check` knows, and 34 with the names in
sight, so that every name has a program. How often a fault is named that nobody here thought of is measured apart:
[faults written blind](#faults-written-blind).
Interrupted, `python -m benchmarks.power --out power --resume` goes on. `--quick` measures a small sample.
"""
ALARMS = """\
The program without a fault, with other data, initial weights and batches in each run. A finding is a false alarm, and
so is a check beyond its tolerance, and a link of the steps that is measured and not as asked. The largest
error ÷ tolerance is that of all checks but the initial weights, which are rounded to the dtype and so use up to all.
"""
CAUGHT = """\
{mutants} faults, each on every experiment that it names. *undecidable*: every check lies within the tolerance of
correct code, so this run of 20 steps cannot show the fault: rounding alone may do as much. *equal*: the recorded
weights are those of the correct program, bit for bit; there is no fault in this dtype. *missed*: a check is beyond
its tolerance and the verdict is not *disagree*.

![Kill matrix: faults by kind, checks and dtypes](images/power-heatmap.png)

The colour is the largest error ÷ tolerance over the fault's experiments, the number its power of ten. `initial`:
weights before the first step. `steps`: their number; where it is another, nothing else is held against correct code.
`weight`, `bias`: each whole step. `loss`: of each batch. `links`: what was measured of the links of the steps (rows,
penalty, bias, gradient); all as asked, or not. `cause`: ✓ where the right name is in the first class in every run that
caught the fault.
"""
NAMED = """\
Faults that a record cannot tell apart stand in one class of explanations. The cause counts as named first where the
first class has the fault's own name. `gradient-noise` has no name: there the right answer is a description without
a name. The elements that are never updated are named as such by `elements-not-updated`, and weights that are kept in a
narrower format by that format.
"""
PAIRS = """\
A sample of the pairs that can be combined and do not hide each other, without `gradient-noise`, which nothing names;
each on one experiment that shows both. Both count as named where one explanation has both.
"""
SMALLEST = """\
One number of the experiment is replaced by h(1 + δ) in what a correct run is held to, and the smallest |δ| that
leaves the tolerance is found by bisection, to 10 %. *undecidable*: not even ½ is seen. Each run has 20 steps of a
weight with 12 numbers and a bias.
"""

NO_BLIND = """\
## Faults written blind

This page was written without a score of them.
"""
BLIND = """\
Training functions and optimizer classes, each with one fault, by people who had not seen the names, after public bug
reports and in many styles. The true cause was written down by them. *Right* is a fault whose cause was said first, in
words that lead to the line to change; a true description without a name is not. Part of them was known while the
names were written, so that their share says how well these are covered, and not how well strangers' faults are. Each
sealed set was scored once, by the code of that day, before anything was changed because of it; what it lacked was
added afterwards. From the second set on it was judged by others, from the true cause and the output alone. Sets 6 and
7 were written side by side, and what set 6 lacked was there when set 7 was scored. The writer of set 8 was asked to
leave out the mistakes that come to mind first, that of set 9 to take them from everywhere. Scored on {date}.
"""

WORDS: dict[tuple[str, ...], int] = {("experiment", "number"): 2, ("faults", "kind"): 2, ("fault", "true cause"): 4}
"""How many columns are words, set to the left, by the names of the first two; else one is."""


def to_markdown(document: Mapping[str, Any], blind: Mapping[str, Any] | None = None) -> str:
    """The page, with faults written blind where there are any. The same documents make the same page."""
    report = read(document)
    parts = [
        INTRODUCTION.format(seed=f" --seed {report.seed}" if report.seed else ""),
        _section("False alarms", ALARMS, alarms(report), used(report)),
        _section("Faults caught", CAUGHT.format(mutants=report.mutants), caught(report)),
        _problems("Not caught", [f"`{one.id}`: {as_text(one.text)}" for one in report.uncaught]),
        _problems("Errors", [f"`{one.id}`: {as_text(one.text)}" for one in report.errors]),
        _problems("Within the tolerance of correct code", _unseen(report)),
        _section("The cause", NAMED, named(report)),
        _problems("Caught, with another cause first", [_line(case) for case in unnamed(report)]),
        *(_blind(read_blind(blind)) if blind else [NO_BLIND]),
        _section("Two faults at once", PAIRS, pairs(report)),
        _problems("Caught, and no explanation has both", [_line(case) for case in unpaired(report)]),
        _section("Smallest detectable faults", SMALLEST, ranges(report), smallest(report)),
        _section("Versions and machine", ", ".join(f"{k} {v}" for k, v in report.environment.items()) + ".\n"),
    ]
    return "\n".join(part for part in parts if part)


def _blind(blind: Blind) -> list[str]:
    parts = [_section("Faults written blind", BLIND.format(date=blind.date), scores(blind))]
    for title, faults in blind.sets.items():
        if faults:
            parts.append(f"### Each fault: {title}\n\n{_grid(each(faults))}")
    return parts


def _section(title: str, text: str, *tables: Table) -> str:
    return "\n".join([f"## {title}\n", text, *(_grid(table) for table in tables if table.rows)])


def _grid(table: Table) -> str:
    words = WORDS.get(tuple(table.columns[:2]), 1)
    rule = [":--" if i < words else "--:" for i in range(len(table.columns))]
    return "".join(f"| {' | '.join(row)} |\n" for row in (table.columns, rule, *table.rows))


def _problems(title: str, lines: Sequence[str]) -> str:
    return f"### {title}\n\n" + "".join(f"* {line}\n" for line in lines) if lines else ""


def _line(case: TrialReport) -> str:
    faults = " + ".join(f"`{fault}`" for fault in case.faults)
    outcome = f"found {', '.join(f'`{name}`' for name in case.findings)}" if case.findings else as_text(case.text)
    return f"{faults} ({case.where}): {outcome}"


def _unseen(report: PowerDocument) -> list[str]:
    lines = []
    for fault, cases in unseen(report).items():
        dtypes = dict.fromkeys(case.dtype for case in cases)
        told = []
        for dtype in dtypes:
            some = [case for case in cases if case.dtype == dtype]
            outcome = "equal" if all(case.outcome == "equal" for case in some) else "undecidable"
            told.append(f"{outcome} in {dtype} on {', '.join(case.experiment for case in some)}")
        lines.append(f"`{fault}`: {'; '.join(told)}")
    return lines
