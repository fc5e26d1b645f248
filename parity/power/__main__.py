"""``python -m parity.power REPORT.json FOLDER [BLIND.json]``: the page and its picture of a measurement.

``BLIND.json``: the score of faults written blind; it may be missing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from parity.report.power.files import write_page


def main(arguments: list[str]) -> None:
    document, folder, *others = arguments
    blind = next((read(Path(name)) for name in others if Path(name).is_file()), None)
    write_page(read(Path(document)), Path(folder), blind)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
