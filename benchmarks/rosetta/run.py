"""Run every row with every library that is installed, write ``../results/rosetta.json`` and docs/rosetta.md.

    pip install -e '.[frameworks,zoo]'
    python -m benchmarks.rosetta.run

Rows of libraries that are not installed are kept as they were.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.rosetta.page import page
from benchmarks.rosetta.rows import ROWS
from parity.features.convert.optimizers.library import LIBRARIES
from parity.features.convert.optimizers.proof import equivalences
from parity.output import write_whole

RESULTS = Path(__file__).parents[1] / "results" / "rosetta.json"
PAGE = Path(__file__).parents[2] / "docs" / "rosetta.md"
PACKAGES = {"torch_optimizer": "torch-optimizer", "optimi": "torch-optimi"}
"""Distributions that are called otherwise than their modules."""


def cells(label: str, library: str) -> Iterator[dict[str, Any]]:
    """What one library has for one row: an entry for each of its optimizers that may be it."""
    row = ROWS[label]
    for one in equivalences(row.source, row.hyper, library, prove=True):
        yield {
            "row": label,
            "library": library,
            "to": one.wanted,
            "verdict": one.verdict,
            "call": one.call,
            "text": one.text,
        }


def installed(library: str) -> str:
    """The version, "" where it is not installed."""
    try:
        return version(PACKAGES.get(library, library))
    except PackageNotFoundError:
        return ""


def main() -> None:
    """Run what is installed, then write the whole."""
    old = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {"cells": [], "versions": {}}
    versions = {library: installed(library) or old["versions"].get(library, "") for library in LIBRARIES}
    every = [one for one in old["cells"] if not installed(one["library"])]
    for label in ROWS:
        for library in filter(installed, LIBRARIES):
            every += cells(label, library)
        print(label, flush=True)
    places = {(label, library): i for i, (label, library) in enumerate((a, b) for a in ROWS for b in LIBRARIES)}
    every.sort(key=lambda one: places[one["row"], one["library"]])
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    document = {"machine": machine, "versions": versions, "cells": every}
    write_whole(RESULTS, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    write_whole(PAGE, page(document))


if __name__ == "__main__":
    main()
