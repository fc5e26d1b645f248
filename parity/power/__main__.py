"""``python -m parity.power REPORT.json FOLDER``: the page and its picture from a document of ``parity power``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from parity.report.power.files import write_page


def main(arguments: list[str]) -> None:
    document, folder = arguments
    write_page(json.loads(Path(document).read_text(encoding="utf-8")), Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
