"""The results folder of ``benchmarks.power``: document, page and picture, each whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.power.heatmap import draw
from benchmarks.power.page import to_markdown
from parity.errors import InputError
from parity.output import write_whole

DOCUMENT, PAGE, PICTURE = "report.json", "power.md", "images/power-heatmap.png"


def write_all(document: Mapping[str, Any], folder: Path) -> list[str]:
    """Write them and return their names."""
    write_whole(folder / DOCUMENT, to_json(document))
    return [DOCUMENT, *write_page(document, folder)]


def write_page(document: Mapping[str, Any], folder: Path, blind: Mapping[str, Any] | None = None) -> list[str]:
    """The page and its picture; ``blind``: the score of faults written blind."""
    try:
        (folder / PICTURE).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error
    write_whole(folder / PAGE, to_markdown(document, blind))
    draw(document, folder / PICTURE)
    return [PAGE, PICTURE]


def to_json(document: Mapping[str, Any]) -> str:
    """A line for each entry of a list, so that a difference between two measurements can be read."""
    parts = []
    for key, value in document.items():
        lines = (
            [json.dumps(one, ensure_ascii=False, allow_nan=False) for one in value] if isinstance(value, list) else []
        )
        text = (
            "[\n  " + ",\n  ".join(lines) + "\n ]" if lines else json.dumps(value, ensure_ascii=False, allow_nan=False)
        )
        parts.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
