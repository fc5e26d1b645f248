"""The results folder of ``parity verify``: document, page, JUnit and picture, each whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from parity.document import to_json
from parity.features.verify.document import read
from parity.features.verify.heatmap import draw
from parity.features.verify.junit import to_junit
from parity.features.verify.page import to_html
from parity.output import write_whole

DOCUMENT, PAGE, JUNIT, PICTURE = "report.json", "report.html", "junit.xml", "heatmap.png"


def write_all(document: dict[str, Any], folder: Path) -> list[str]:
    """Write them and return their names."""
    write_whole(folder / DOCUMENT, to_json(read(document)) + "\n")
    write_whole(folder / PAGE, to_html(document))
    write_whole(folder / JUNIT, to_junit(document))
    draw(document, folder / PICTURE)
    return [DOCUMENT, PAGE, JUNIT, PICTURE]
