"""Every command and every Python block of the pages for users runs."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
import warnings
from pathlib import Path

import pytest

from parity.cli import main
from parity.experiment_file import from_dict, to_toml
from parity.loading import load

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]


def blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for text in re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
            found.append((page.name, text))
    return found


@pytest.mark.slow
def test_every_command_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order of the page, in one folder; a check of faulty code ends with 1, a fault of torch where it has it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    commands = [
        line.split("#")[0].strip() for page, text in blocks("sh") if page == "README.md" for line in text.splitlines()
    ]
    parity_commands = [shlex.split(command) for command in commands if command.startswith("parity ")]
    assert len(parity_commands) >= 5
    for words in parity_commands:
        target = None
        if ">" in words:
            target = Path(words[words.index(">") + 1])
            words = words[: words.index(">")]
        capsys.readouterr()
        code = main(words[1:])
        if target is not None:
            target.write_text(capsys.readouterr().out, encoding="utf-8")
        expected = (1,) if "check" in words else (0, 1) if "fused" in words else (0,)
        assert code in expected, words


def test_the_two_make_commands_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^run: .*\n\t\$\(BIN\)/parity run 's0-\*'$", makefile, flags=re.MULTILINE)
    assert re.search(r"^test: .*\n\t\$\(BIN\)/pytest ", makefile, flags=re.MULTILINE)
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


TRAINERS = ("lightning", "transformers", "accelerate")
"""Packages that some blocks need, which the tests do not; they warn of many things."""


WHOLE = [block for block in blocks("python") if block[0] != "trainers.md" or "import " in block[1]]
"""The others are parts of a loop, which test_ranks.py and test_averages.py put into one."""


@pytest.mark.parametrize(("page", "text"), WHOLE)
def test_python_blocks_run(page: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for package in TRAINERS:
        if re.search(rf"^(import|from) {package}\b", text, flags=re.MULTILINE):
            pytest.importorskip(package, reason=f"{package} is not installed")
            warnings.simplefilter("ignore")
    exec(compile(text, page, "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize(("page", "text"), blocks("toml"))
def test_toml_blocks_are_valid_experiments(page: str, text: str) -> None:
    asked = tomllib.loads(text)
    rest = {} if "name" in asked else tomllib.loads(to_toml(load("check-mse")))
    assert from_dict({**rest, **asked}).name, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
