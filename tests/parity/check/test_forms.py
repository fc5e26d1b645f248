"""Right classes in unusual forms, written by people who did not know the judge, are not accused.

The files of ``forms/`` are as their authors wrote them, but for one: a flat Adam that kept its state by dtype lost it
where it was loaded for another dtype, which was found.
"""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import pytest

from parity.features.check.examine import examine
from parity.features.check.optimizer import conclude

FORMS = Path(__file__).parent / "forms"
CASES = tomllib.loads((FORMS / "forms.toml").read_text(encoding="utf-8"))["case"]


def class_of(case: dict[str, Any]) -> Any:
    spec = importlib.util.spec_from_file_location(f"forms_{case['class']}", FORMS / case["file"])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, case["class"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["class"])
def test_a_right_class_in_an_unusual_form_agrees_and_is_called_what_it_is(case: dict[str, Any]) -> None:
    hyper = case.get("hyper", {})
    found = conclude(examine(class_of(case), hyper, ("float64", "float32")), hyper, None)
    assert found.verdict == "agree", found.text
    assert found.against.startswith(f"{case['computes']}("), found.against
    assert "situations of training" in found.text
