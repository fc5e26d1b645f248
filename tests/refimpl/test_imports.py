"""The reference stands on NumPy and SciPy alone."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from functools import cache

import refimpl

MODULES = ["refimpl", *(module.name for module in pkgutil.walk_packages(refimpl.__path__, "refimpl."))]
SCRIPT = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@cache
def loaded_by(*modules: str) -> frozenset[str]:
    """The top-level packages that are loaded once ``modules`` are imported in a fresh interpreter."""
    command = [sys.executable, "-W", "error", "-c", SCRIPT, *modules]
    return frozenset(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def test_the_whole_reference_loads_neither_torch_nor_matplotlib_nor_the_judge() -> None:
    assert {"refimpl.training", "refimpl.arithmetic.bounded", "refimpl.exact.ridge"} <= set(MODULES)
    forbidden = {"torch", "matplotlib", "parity", "sklearn", "mpmath", "typer", "rich", "jinja2", "msgspec"}
    assert not loaded_by(*MODULES) & forbidden


def test_the_whole_reference_loads_no_third_party_package_but_numpy_and_scipy() -> None:
    outside = loaded_by(*MODULES) - loaded_by() - set(sys.stdlib_module_names)
    outside = {name for name in outside if not name.startswith("_")}
    assert outside <= {"refimpl", "numpy", "scipy", "cython_runtime", "charset_normalizer"}


def test_import_refimpl_by_itself_loads_nothing() -> None:
    assert loaded_by("refimpl") - loaded_by() == {"refimpl"}
