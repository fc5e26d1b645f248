"""The files that a check leaves: the document and the picture."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from parity.errors import InputError
from parity.report.check.document import to_json
from parity.report.files import write_whole

if TYPE_CHECKING:
    from parity.explain.finding import Diagnosis

DOCUMENT, PICTURE = "check.json", "residual.png"


def write_all(target: str, diagnosis: Diagnosis, folder: Path) -> tuple[str, list[str]]:
    """The document's text, and the names of the files. Raises :class:`InputError` where they cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose another folder with --out") from error
    environment = {name: version(name) for name in ("torch", "numpy")} | {"python": platform.python_version()}
    text = to_json(target, diagnosis, environment)
    write_whole(folder / DOCUMENT, text + "\n")
    if diagnosis.verdict == "agree" or not diagnosis.residual:
        return text, [DOCUMENT]
    from parity.report.check.plot import draw  # imports matplotlib, which costs a third of the check

    draw(target, diagnosis, folder / PICTURE)
    return text, [DOCUMENT, PICTURE]
