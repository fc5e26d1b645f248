"""The results folder of ``parity sweep``: document, table and picture, each whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from parity.errors import InputError
from parity.report.files import check_place, write_whole
from parity.report.plots import save
from parity.report.study.sweep.document import to_csv, to_json
from parity.report.study.sweep.picture import picture
from parity.study.sweep.beside import Beside
from parity.study.sweep.marks import Mark
from parity.study.sweep.run import Sweep

DOCUMENT, TABLE, PICTURE = "sweep.json", "sweep.csv", "sweep.png"


def prepare(folder: Path) -> None:
    """Make the folder, before the work that it is for. Raises :class:`InputError` where a file cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another folder with --out") from error
    for name in (DOCUMENT, TABLE, PICTURE):
        check_place(folder / name)


def write_all(sweep: Sweep, found: Sequence[Mark], beside: Beside | None, folder: Path) -> list[str]:
    """Make them all, then write them; their names."""
    document, table, drawn = to_json(sweep, found, beside), to_csv(sweep, beside), picture(sweep, found, beside)
    save(drawn, folder / PICTURE)
    write_whole(folder / DOCUMENT, document)
    write_whole(folder / TABLE, table)
    return [DOCUMENT, TABLE, PICTURE]
