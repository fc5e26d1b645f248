"""The results folder of ``parity verify``: document, page, JUnit and picture, each whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from parity.report.files import write_whole
from parity.report.matrix.heatmap import draw
from parity.report.matrix.html import to_html
from parity.report.matrix.junit import to_junit

DOCUMENT, PAGE, JUNIT, PICTURE = "report.json", "report.html", "junit.xml", "heatmap.png"


def write_all(document: dict[str, Any], folder: Path) -> list[str]:
    """Write them and return their names."""
    write_whole(folder / DOCUMENT, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    write_whole(folder / PAGE, to_html(document))
    write_whole(folder / JUNIT, to_junit(document))
    draw(document, folder / PICTURE)
    return [DOCUMENT, PAGE, JUNIT, PICTURE]
