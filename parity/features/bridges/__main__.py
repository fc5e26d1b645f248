"""``python -m parity.features.bridges FOLDER``: the page of all bridges and their pictures."""

from __future__ import annotations

import sys
from pathlib import Path

from parity.features.bridges.bridges import BRIDGES
from parity.features.bridges.files import write_page


def main(arguments: list[str]) -> None:
    (folder,) = arguments
    write_page({id: bridge.compute(0) for id, bridge in BRIDGES.items()}, BRIDGES, Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
