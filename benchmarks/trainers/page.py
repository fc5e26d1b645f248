"""Write ``docs/trainers-table.md`` from ``../results/trainers.json``.

python -m benchmarks.trainers.page
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.trainers.options import OPTIONS, REMARKS, ROOT, TRAINERS, Option, Trainer
from benchmarks.trainers.programs.reading import READERS

RESULTS = ROOT / "benchmarks" / "results" / "trainers.json"
PAGE = ROOT / "docs" / "trainers-table.md"
HEAD = """# What each trainer executes

The same settings are different trainings in different trainers. Each row was found by a small script that needs the
trainer and torch alone, on data whose gradients are known, and, where the table has a column for it, once more by
[`parity check`](check.md) on a training of 30 weights, which holds every step to an experiment. Most of what differs is
by design. It is said here because a loss curve does not show it.

{versions}, Python {python}, {machine}, CPU. SGD in float64; Keras is
checked in float32, since its products of float64 matrices are made in float32 on torch, whatever `floatx` is.

```sh
pip install -e '.[trainers]'
python -m benchmarks.trainers                     # all of it: benchmarks/results/trainers.json and this page
python -m benchmarks.trainers --only lightning    # the rows of one trainer, printed
```

The script of a row is `python benchmarks/trainers/programs/PROGRAM.py PROBE`; the programs are linked below, the probe
is named in each section. [`probe.py`](../benchmarks/trainers/programs/probe.py) has the data and
[`reading.py`](../benchmarks/trainers/programs/reading.py) reads the numbers. The experiments are in
`benchmarks/trainers/experiments`.
"""
Run = Mapping[str, Any]


def page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    environment = document["environment"]
    names = [name for name in environment if name not in ("python", "machine")]
    versions = ", ".join(f"{name} {environment[name]}" for name in names)
    lines = [HEAD.format(versions=versions, python=environment["python"], machine=environment["machine"])]
    for option in OPTIONS:
        lines += _section(document, option)
    return "\n".join(lines).rstrip() + "\n"


def _section(document: Mapping[str, Any], option: Option) -> Iterator[str]:
    of_check = f"; `parity check` runs `:{option.function}`" if option.experiments else ""
    of_check += f" in {option.dtype}" if option.dtype else ""
    of_check += f" with `--ranks {option.ranks}`" if option.ranks else ""
    yield from (f"## {option.title}", "", option.asked, "", f"Probe: `{option.probe}`{of_check}.", "")
    yield "| trainer | measured |" + (" `parity check` |" if option.experiments else "")
    yield "|:--|:--|" + (":--|" if option.experiments else "")
    for trainer in TRAINERS:
        told, said = _row(document, trainer, option)
        remark = REMARKS.get((option.id, trainer.program))
        told += f" ({remark})" if remark else ""
        name = f"[{trainer.title}](../{trainer.path})"
        yield f"| {name} | {told} |" + (f" {said or '–'} |" if option.experiments else "")
    yield ""


def rows_of(document: Mapping[str, Any], trainer: Trainer) -> Iterator[tuple[Option, str, str]]:
    """What was measured, and what the check says, of each option."""
    for option in OPTIONS:
        yield option, *_row(document, trainer, option)


def _row(document: Mapping[str, Any], trainer: Trainer, option: Option) -> tuple[str, str]:
    runs = {(run["trainer"], run.get("probe"), run.get("check")): run for run in document["runs"]}
    told = measured(runs[trainer.program, option.probe, None], option)
    return told, checked(runs[trainer.program, None, option.id]) if option.experiments else ""


def measured(run: Run, option: Option) -> str:
    """The numbers of a probe in words."""
    if "without" in run:
        return str(run["without"])
    if "error" in run:
        return f"cannot run: {run['error']}"
    return READERS[option.probe][option.reader](run)


def checked(run: Run) -> str:
    """The experiment with which it agrees, and what is said beside the first one that was asked."""
    tried = run.get("tried", [])
    if not tried:
        return ""
    first, last = tried[0], tried[-1]
    if first["verdict"] == "agree":
        return f"agrees with `{first['experiment']}`"
    said = f"beside `{first['experiment']}`: {first['text']}"
    return f"agrees with `{last['experiment']}`; {said}" if last["verdict"] == "agree" else said


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
    print(PAGE)
