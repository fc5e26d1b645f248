"""Which distribution this package comes from, and whether another one writes into its folder.

Several distributions on PyPI install a package and a script called ``parity``. An installer lets the later one
overwrite files of the earlier one and says nothing, so the command line and the pytest plugin say it when they start.
"""

from __future__ import annotations

from pathlib import Path

DISTRIBUTION = "step-parity"
__version__ = "0.1.0"

FOLDER = Path(__file__).parent


def clash(package: Path = FOLDER) -> str:
    """Says in one line which other distributions install files into the folder ``package``; empty where none does.

    A folder that holds nothing but what this distribution recorded needs no look at the others.
    """
    site = package.parent
    own = next(site.glob(f"{DISTRIBUTION.replace('-', '_')}-*.dist-info/RECORD"), None)
    if own is None:  # a checkout: no installer wrote here
        return ""
    prefix = f"{package.name}/"
    lines = own.read_text(encoding="utf-8").splitlines()
    recorded = {line.removeprefix(prefix).partition(",")[0].partition("/")[0] for line in lines}
    if all(entry.name in {*recorded, "__pycache__"} for entry in package.iterdir()):
        return ""
    records = sorted(site.glob("*.dist-info/RECORD"))
    others = [
        record.parent.name.removesuffix(".dist-info").replace("_", "-")
        for record in records
        if record != own and f"\n{prefix}" in f"\n{record.read_text(encoding='utf-8')}"
    ]
    if not others:
        return ""
    names = " ".join(other.rpartition("-")[0] for other in others)
    return (
        f"{', '.join(others)} and {DISTRIBUTION} install different packages into {package}, where they overwrite each "
        f"other's files; keep one: pip uninstall {names} {DISTRIBUTION}, then install the one to keep"
    )
