"""Find what each trainer executes, and write ``../results/trainers.json`` and ``docs/trainers-table.md``.

    pip install -e '.[trainers]'
    python -m benchmarks.trainers [--jobs 2] [--only lightning] [--fresh]

Each run has a process of its own. What it finds is appended to ``trainers.jsonl`` in the temporary folder at once, so
that an interrupted run goes on where it stopped; ``--fresh`` starts over. ``--only`` prints rows and writes nothing.
"""

from __future__ import annotations

import json
import platform
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.trainers.measure import checks, probes
from benchmarks.trainers.options import OPTIONS, PACKAGES, TRAINERS, Trainer
from benchmarks.trainers.page import PAGE, RESULTS, page, rows_of

DONE = Path(tempfile.gettempdir()) / "trainers.jsonl"
Row = dict[str, Any]
Key = tuple[str, str, str]
KINDS = ("probe", "check")


def key(row: Row) -> Key:
    """Trainer, ``probe`` or ``check``, and which one."""
    kind = "probe" if "probe" in row else "check"
    return row["trainer"], kind, row[kind]


def batches(kind: str) -> list[list[str]]:
    """What is run in one process each: all that can be, mixed precision, and what starts ranks."""
    options = [option for option in OPTIONS if kind == "probe" or option.experiments]
    names = list(dict.fromkeys(option.probe if kind == "probe" else option.id for option in options))
    alone = [name for name in names if name == "mixed" or "rank" in name]
    return [[name for name in names if name not in alone], *([name] for name in alone)]


def run(trainer: Trainer, kind: str, names: list[str], found: dict[Key, Row]) -> list[Row]:
    """The rows of one process; a trainer that has no such option is not checked."""
    if kind == "probe":
        return probes(trainer, names)
    of_probe = {option.id: found[trainer.program, "probe", option.probe] for option in OPTIONS}
    there = [name for name in names if "without" not in of_probe[name]]
    missing = [{"trainer": trainer.program, "check": name} for name in names if name not in there]
    return missing + (checks(trainer, there) if there else [])


def environment() -> dict[str, str]:
    """The versions that the numbers depend on."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}", **versions}


def main(
    jobs: Annotated[int, typer.Option(min=1, help="Runs at the same time.")] = 2,
    only: Annotated[str, typer.Option(help="Part of a program's name; prints its rows, writes no results.")] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Run everything again.")] = False,
) -> None:
    """Run what is missing, then write the whole."""
    trainers = [trainer for trainer in TRAINERS if only in trainer.program]
    if not trainers:
        names = ", ".join(trainer.program for trainer in TRAINERS)
        raise typer.BadParameter(f"{only}: no such trainer; allowed: a part of {names}", param_hint="--only")
    versions = environment()
    if missing := sorted({one.package for one in trainers if versions[one.package] == "not installed"}):
        raise typer.BadParameter(f"{', '.join(missing)}: not installed; pip install -e '.[trainers]'")
    if fresh and not only:
        DONE.unlink(missing_ok=True)
    lines = DONE.read_text(encoding="utf-8").splitlines() if DONE.exists() and not only else []
    found: dict[Key, Row] = {key(row): row for row in map(json.loads, lines)}
    for kind in KINDS:  # whether an option is there is said by its probe
        with ThreadPoolExecutor(jobs) as pool:
            pending = []
            for trainer in trainers:
                for some in batches(kind):
                    left = [name for name in some if (trainer.program, kind, name) not in found]
                    pending += [pool.submit(run, trainer, kind, left, found)] if left else []
            for future in as_completed(pending):
                rows = future.result()
                found.update({key(row): row for row in rows})
                if not only:
                    with DONE.open("a", encoding="utf-8") as file:
                        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
                print(", ".join(" ".join(key(row)) for row in rows), flush=True)
    order = [(one.program, k, name) for one in trainers for k in KINDS for some in batches(k) for name in some]
    document = {"environment": versions, "runs": [found[name] for name in order]}
    if only:
        for trainer in trainers:
            print(f"\n{trainer.title}")
            for option, told, said in rows_of(document, trainer):
                print(f"  {option.title}: {told}" + (f" [parity check: {said}]" if said else ""))
        return
    RESULTS.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(document), encoding="utf-8")
    print(f"{RESULTS}\n{PAGE}")


if __name__ == "__main__":
    typer.run(main)
