"""The files that scikit-learn and statsmodels come with load as they are, or with what their error says."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refimpl.datasets import File
from refimpl.errors import DataError


def package(name: str) -> Path:
    """The folder of a package, which is not imported."""
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


FOLDERS = (package("sklearn") / "datasets/data", package("statsmodels") / "datasets")
FILES = sorted(path for folder in FOLDERS for pattern in ("*.csv*", "*/*.csv") for path in folder.glob(pattern))
INDICATOR = ("Country Name", "Country Code", "Indicator Name", "Indicator Code")
ASKED: dict[str, list[dict[str, Any]]] = {
    "breast_cancer.csv": [{"skip": 1}],
    "iris.csv": [{"skip": 1}],
    "wine_data.csv": [{"skip": 1}],
    "china_smoking.csv": [{"ignore": ("Location",)}],
    "committee.csv": [{"ignore": ("COMMITTEE",)}],
    "cpunish.csv": [{"ignore": ("STATE",)}],
    "data.csv": [{"ignore": ("period",)}],
    "grunfeld.csv": [{"ignore": ("firm",)}],
    "scotvote.csv": [{"ignore": ("COUNCILDIST",)}],
    "statecrime.csv": [{"ignore": ("state",)}],
    "co2.csv": [{"missing": "drop"}],
    "fertility.csv": [
        {"header": "yes"},
        {"ignore": INDICATOR},
        {"missing": "drop"},
        {"ignore": (*INDICATOR, "2012", "2013")},
    ],
}
"""The options that the errors ask for, one after the other."""
REFUSED = {"diabetes_target.csv.gz": "given one column", "elec_equip.csv": "given no column but the target"}


def load(path: Path, **options: Any) -> Any:
    return File(path=str(path), **options).make(np.random.default_rng(0))


def test_all_but_the_two_that_have_one_column_of_numbers_load() -> None:
    assert len(FILES) == 39
    for path in FILES:
        options: dict[str, Any] = {"ignore": ("DATE",)} if path.name == "elec_equip.csv" else {}
        for more in ASKED.get(path.name, []):
            with pytest.raises(DataError, match=next(iter(more))):
                load(path, **options)
            options |= more
        if path.name in REFUSED:
            with pytest.raises(DataError, match=REFUSED[path.name]):
                load(path, **options)
        else:
            assert load(path, **options).X.shape[1] >= 8
