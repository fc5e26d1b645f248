"""The files of a bridge: its picture and its numbers, each whole or not at all; and the page of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from parity.features.bridges.bridge import Bridge, Computation
from parity.features.bridges.page import page
from parity.features.bridges.pictures import draw
from parity.output import make_folder, write_whole
from parity.output import to_json as as_json


def write_bridge(id: str, bridge: Bridge, evidence: Computation, seed: int, folder: Path) -> list[Path]:
    """``bridge-ID.png`` and ``bridge-ID.json``. Raises :class:`InputError` where they cannot be written."""
    picture, document = places(id, folder)
    text = to_json(id, bridge, evidence, seed) + "\n"
    return [draw(id, evidence, picture), write_whole(document, text)]


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


def to_json(id: str, bridge: Bridge, evidence: Computation, seed: int) -> str:
    """``{"schema": 1, "bridge": ID, …, "identities": […], "facts": {…}, "picture": {…}}``, arrays as lists."""
    common = {"identities", "facts"}
    document = {
        "schema": 1,
        "bridge": id,
        "title": bridge.title,
        "statement": bridge.statement,
        "seed": seed,
        "identities": [
            {
                "claim": identity.claim,
                "ways": list(identity.ways),
                "digits": identity.digits,
                "promised": identity.promised,
                "values": [_listed(identity.one), _listed(identity.other)],
            }
            for identity in evidence.identities
        ],
        "facts": dict(evidence.facts),
        "picture": {f.name: _listed(getattr(evidence, f.name)) for f in fields(evidence) if f.name not in common},
    }
    return as_json(document, indent=None)


def _listed(value: Any) -> Any:
    """Arrays as lists, in mappings too."""
    if isinstance(value, Mapping):
        return {key: _listed(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
