"""The files of a bridge: its picture and its numbers, each whole or not at all; and the page of all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from parity.features.bridges.bridge import Bridge, Computation
from parity.features.bridges.build import Built
from parity.features.bridges.page import page
from parity.features.bridges.pictures import draw
from parity.output import make_folder, write_whole


def write_bridge(built: Built, folder: Path) -> list[Path]:
    """``bridge-ID.png`` and ``bridge-ID.json``. Raises :class:`InputError` where they cannot be written."""
    picture, document = places(built.id, folder)
    text = built.to_json() + "\n"
    return [draw(built.id, built.evidence, picture), write_whole(document, text)]


def places(id: str, folder: Path) -> tuple[Path, Path]:
    """Where :func:`write_bridge` writes, the folder made. Raises :class:`InputError` where either cannot be written."""
    picture, document = f"bridge-{id}.png", f"bridge-{id}.json"
    make_folder(folder, picture, document)
    return folder / picture, folder / document


def write_page(evidence: Mapping[str, Computation], bridges: Mapping[str, Bridge], folder: Path) -> None:
    """``bridges.md`` and ``images/bridge-*.png``."""
    make_folder(folder / "images")
    for id, computed in evidence.items():
        draw(id, computed, folder / "images" / f"bridge-{id}.png")
    write_whole(folder / "bridges.md", page(evidence, bridges))
