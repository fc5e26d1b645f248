"""The results folder of ``parity sweep``: document, table and picture, each whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from parity.features.sweep.beside import Beside
from parity.features.sweep.document import to_csv, to_json
from parity.features.sweep.marks import Mark
from parity.features.sweep.picture import picture
from parity.features.sweep.run import Sweep
from parity.output import write_whole
from parity.pictures import save

NAMES = DOCUMENT, TABLE, PICTURE = "sweep.json", "sweep.csv", "sweep.png"


def write_all(sweep: Sweep, marks: Sequence[Mark], beside: Beside | None, folder: Path) -> list[str]:
    """Make them all, then write them; their names."""
    document, table, drawn = to_json(sweep, marks, beside), to_csv(sweep, beside), picture(sweep, marks, beside)
    save(drawn, folder / PICTURE)
    write_whole(folder / DOCUMENT, document)
    write_whole(folder / TABLE, table)
    return list(NAMES)
