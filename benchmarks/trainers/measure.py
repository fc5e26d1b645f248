"""Run the programs: on probes, as scripts of their own, and as ``parity check`` runs them.

    python -m benchmarks.trainers.measure PROGRAM OPTION...    # what the check says, a line of JSON for each option

Runs that can share a process do: to import a trainer costs more than to train 30 weights.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import parity
from benchmarks.trainers.options import FOLDER, OPTIONS, ROOT, TRAINERS, Option, Trainer
from parity.features.check.worker import TheirError

LIMIT = 600.0
"""Seconds for one process."""
Row = dict[str, Any]


def probes(trainer: Trainer, names: Sequence[str]) -> list[Row]:
    """The steps on data with known gradients, as the script prints them."""
    return _rows(trainer, "probe", names, [trainer.path, *names])


def checks(trainer: Trainer, names: Sequence[str]) -> list[Row]:
    """What ``parity check`` says of each option."""
    return _rows(trainer, "check", names, ["-m", "benchmarks.trainers.measure", trainer.program, *names])


def _rows(trainer: Trainer, kind: str, names: Sequence[str], words: Sequence[str]) -> list[Row]:
    """One line of JSON for each name, from a process."""
    started = time.perf_counter()
    command = [sys.executable, "-W", "ignore", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
    seconds = round((time.perf_counter() - started) / len(names), 1)
    said = (done.stderr.strip().splitlines() or ["no result"])[-1]
    found += [{"error": said}] * (len(names) - len(found))
    return [
        {"trainer": trainer.program, kind: name, **row, "seconds": seconds}
        for name, row in zip(names, found, strict=True)
    ]


def checked(trainer: Trainer, option: Option) -> Iterator[dict[str, str]]:
    """The verdict beside each experiment, up to the one with which it agrees."""
    target: Any = f"{ROOT / trainer.path}:{option.function}"  # in processes of its own, for several ranks
    if option.ranks is None:
        target = getattr(importlib.import_module(trainer.program), option.function)
    for name in option.experiments:
        asked = FOLDER / "experiments" / f"{name}.toml"
        try:
            said = parity.check(target, asked, dtype=option.dtype or trainer.dtype, ranks=option.ranks, limit=LIMIT)
        except (TheirError, parity.InputError) as error:
            yield {"experiment": name, "verdict": "error", "text": str(error).splitlines()[-1]}
            return
        yield {"experiment": name, "verdict": said.verdict, "text": said.text}
        if said.verdict == "agree":
            return


def main() -> None:
    """Print what the check says of the options of a program."""
    program, *names = sys.argv[1:]
    sys.path.insert(0, str(FOLDER / "programs"))
    trainer = next(one for one in TRAINERS if one.program == program)
    for option in OPTIONS:
        if option.id in names:
            print(json.dumps({"tried": list(checked(trainer, option))}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
