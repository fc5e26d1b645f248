"""The zoo of published optimizers: its page is what the committed result says, and no finding is left unexplained."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from parity.features.check.conduct import RULES
from parity.features.check.held import parse_against
from parity.features.check.target import parse
from parity.hyper_words import hyper_parameters

ROOT = Path(__file__).parents[1]
ZOO = ROOT / "benchmarks" / "zoo"
SCRIPTS = sorted((ZOO / "faults").glob("*.py"))
DOCUMENT = json.loads((ROOT / "benchmarks" / "results" / "zoo.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page() -> ModuleType:
    """The script that writes the page."""
    return importlib.import_module("benchmarks.zoo.page")


def test_the_page_is_what_the_committed_result_says(page: ModuleType) -> None:
    assert (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8") == page.page(DOCUMENT)


def test_the_result_has_each_check_of_the_catalogue_once_and_no_other(page: ModuleType) -> None:
    commands = [tuple(row["command"]) for row in DOCUMENT["checks"]]
    assert commands == [entry.command for entry in page.CATALOGUE]
    assert len(set(commands)) == len(commands)


def test_every_entry_is_a_check_that_can_be_asked_for(page: ModuleType) -> None:
    for entry in page.CATALOGUE:
        assert entry.package in page.PACKAGES
        assert parse(entry.target).is_class
        assert hyper_parameters(entry.hyper)
        if entry.against:
            parse_against(entry.against)


def test_the_zoo_is_as_large_as_it_says(page: ModuleType) -> None:
    published = [entry for entry in page.CATALOGUE if entry.package != "torch"]
    assert len({entry.target for entry in published}) >= 40
    assert len({entry.target for entry in published if entry.against}) >= 90
    assert len({entry.package for entry in published}) >= 3


def test_every_finding_is_explained_by_a_fault_or_by_the_package_itself(page: ModuleType) -> None:
    rows = zip(page.CATALOGUE, DOCUMENT["checks"], strict=True)
    left = {f"{entry.target} {entry.against}": ids for entry, row in rows if (ids := page.unexplained(entry, row))}
    assert left == {}


def test_the_control_group_is_without_findings_but_for_a_known_deviation(page: ModuleType) -> None:
    rows = zip(page.CATALOGUE, DOCUMENT["checks"], strict=True)
    found = {entry.target: row["text"] for entry, row in rows if entry.package == "torch" and row["findings"]}
    assert list(found) == ["torch.optim:Adafactor"] and "ZeroDivisionError" in found["torch.optim:Adafactor"]


def test_the_page_has_words_for_every_rule_of_conduct(page: ModuleType) -> None:
    assert set(page.CONDUCT) == set(RULES)


def test_every_fault_has_its_script_and_every_script_its_fault(page: ModuleType) -> None:
    assert sorted(fault.id for fault in page.FAULTS) == [script.stem for script in SCRIPTS]
    classes = {(entry.package, entry.target.partition(":")[2]) for entry in page.CATALOGUE}
    for each in (*page.FAULTS, *page.DOCUMENTED):
        assert {(each.package, name) for name in each.classes} <= classes, each


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_needs_torch_and_its_package_alone(script: Path) -> None:
    assert len(_packages(script)) == 1


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_shows_its_fault_where_its_package_is_installed(script: Path) -> None:
    (package,) = _packages(script)
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install -e '.[zoo]'")
    done: Any = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _packages(script: Path) -> set[str]:
    imports = re.findall(r"^(?:import|from) (\w+)", script.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return set(imports) - set(sys.stdlib_module_names) - {"torch"}
