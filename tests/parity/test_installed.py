"""The version is said, and so is another distribution that installs into the folder of this package."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import parity
from parity.cli import main
from parity.installed import DISTRIBUTION, __version__, clash
from parity.pytest_start import pytest_configure

ROOT = Path(__file__).parents[2]
Install = Callable[[str, str], None]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site-packages"


@pytest.fixture
def install(site: Path) -> Install:
    """``install("name-1.0", "parity/x.py …")`` writes these files and their record, as pip does."""

    def write(distribution: str, files: str) -> None:
        record = f"{distribution}.dist-info/RECORD"
        for file in [*files.split(), record]:
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).touch()
        (site / record).write_text("".join(f"{file},sha256=x,1\n" for file in [*files.split(), record]))

    return write


OURS = "step_parity-0.1.0", "parity/__init__.py parity/cli/__init__.py refimpl/__init__.py"


@pytest.mark.parametrize("other", ["parity_diff-0.2.3", "another-2.0.post1"])
@pytest.mark.parametrize("first", [True, False])
def test_another_distribution_in_the_folder_is_named_with_its_version_in_one_line(
    other: str, first: bool, site: Path, install: Install
) -> None:
    theirs = other, "parity/__init__.py parity/cli.py"
    for distribution, files in (OURS, theirs) if first else (theirs, OURS):
        install(distribution, files)
    said = clash(site / "parity")
    name = other.replace("_", "-")
    assert said.startswith(f"{name} and step-parity install different packages into {site / 'parity'}")
    assert f"pip uninstall {name.rpartition('-')[0]} step-parity" in said and "\n" not in said


def test_an_installation_by_itself_is_no_clash(site: Path, install: Install) -> None:
    install(*OURS)
    install("numpy-2.0.0", "numpy/__init__.py numpy/parity/__init__.py")
    (site / "parity" / "__pycache__").mkdir()
    assert clash(site / "parity") == ""


def test_a_file_that_no_distribution_owns_is_no_clash(site: Path, install: Install) -> None:
    install(*OURS)
    (site / "parity" / "notes.txt").touch()
    assert clash(site / "parity") == ""


def test_a_checkout_is_no_clash(site: Path, install: Install) -> None:
    install("parity_diff-0.2.3", "parity/__init__.py parity/cli.py")
    assert clash(site / "parity") == ""


@pytest.mark.parametrize("words", [["list"], ["--version"], ["run", "nothing"]])
def test_the_command_line_says_a_clash_in_one_line_and_ends_with_2(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("parity.cli.clash", lambda: "two of them")
    assert main(words) == 2
    assert capsys.readouterr() == ("", "parity: two of them\n")


def test_pytest_does_not_start_with_a_clash(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    monkeypatch.setattr("parity.pytest_start.clash", lambda: "two of them")
    with pytest.raises(pytest.UsageError, match=r"^two of them$"):
        pytest_configure(pytestconfig)


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("-W", "default::parity.pytest_plugin.Undecidable"),  # imports the plugin before it is registered
        ("-p", "parity.pytest_plugin"),
    ],
)
def test_the_entry_point_registers_the_fixtures_once(more: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "test_light.py").write_text("def test_light(assert_parity, assert_optimizer): pass\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "parity.pytest_start", "-W", "error", *more],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_version_is_printed_and_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"parity {__version__}\n"
    assert parity.__version__ == __version__


def test_the_distribution_is_called_the_same_everywhere() -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    assert project["name"] == DISTRIBUTION
    assert project["scripts"] == {"parity": "parity.cli:main"}
    assert project["entry-points"]["pytest11"] == {DISTRIBUTION: "parity.pytest_start"}
    assert document["tool"]["hatch"]["version"]["path"] == "parity/installed.py"
