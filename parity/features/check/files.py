"""The files that a check leaves: the document and the picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from parity.document import to_json
from parity.features.check.document import document, environment
from parity.output import make_folder, write_whole

if TYPE_CHECKING:
    from parity.explain.finding import Diagnosis

DOCUMENT, PICTURE = "check.json", "residual.png"


def write_all(target: str, diagnosis: Diagnosis, folder: Path) -> tuple[str, list[str]]:
    """The document's text, and the names of the files. Raises :class:`InputError` where they cannot be written."""
    make_folder(folder)
    text = to_json(document(target, diagnosis, environment()))
    write_whole(folder / DOCUMENT, text + "\n")
    if diagnosis.verdict == "agree" or not diagnosis.residual:
        return text, [DOCUMENT]
    from parity.features.check.picture import draw  # imports matplotlib, which costs a third of the check

    draw(target, diagnosis, folder / PICTURE)
    return text, [DOCUMENT, PICTURE]
