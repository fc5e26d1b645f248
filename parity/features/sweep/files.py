"""The results folder of ``parity sweep``: document, table and picture, each whole or not at all."""

from __future__ import annotations

from pathlib import Path

from parity.features.sweep.document import to_csv
from parity.features.sweep.run import Sweep
from parity.output import write_whole
from parity.pictures import save

NAMES = DOCUMENT, TABLE, PICTURE = "sweep.json", "sweep.csv", "sweep.png"


def write_all(sweep: Sweep, folder: Path) -> list[str]:
    """Make them all, then write them; their names."""
    document, table, drawn = sweep.to_json() + "\n", to_csv(sweep, sweep.in_torch), sweep.plot()
    save(drawn, folder / PICTURE)
    write_whole(folder / DOCUMENT, document)
    write_whole(folder / TABLE, table)
    return list(NAMES)
