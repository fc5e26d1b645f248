"""Run every row with every library that is installed, write ``../results/rosetta.json`` and docs/rosetta.md.

    pip install -e '.[frameworks,zoo]'
    python -m benchmarks.rosetta.run

Cells of libraries that are not installed are kept, with the machine that they were run on.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
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


def renewed(old: Mapping[str, Any], here: Mapping[str, str], machine: str, cells: Sequence[Any]) -> dict[str, Any]:
    """The document with the ``cells`` of the libraries that are ``here``, by their versions; others keep theirs."""
    every = [one for one in old["cells"] if one["library"] not in here] + list(cells)
    places = {(label, library): i for i, (label, library) in enumerate((a, b) for a in ROWS for b in LIBRARIES)}
    return {
        "machines": {**old["machines"], **dict.fromkeys(here, machine)},
        "versions": {library: here.get(library, old["versions"].get(library, "")) for library in LIBRARIES},
        "cells": sorted(every, key=lambda one: places[one["row"], one["library"]]),
    }


def main() -> None:
    """Run what is installed, then write the whole."""
    here = {library: number for library in LIBRARIES if (number := installed(library))}
    made: list[dict[str, Any]] = []
    for label in ROWS:
        for library in here:
            made += cells(label, library)
        print(label, flush=True)
    old = json.loads(RESULTS.read_text(encoding="utf-8"))
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    document = renewed(old, here, machine, made)
    write_whole(RESULTS, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    write_whole(PAGE, page(document))


if __name__ == "__main__":
    main()
