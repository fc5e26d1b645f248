"""docs/check.md, README.md and examples/README.md show what ``parity check`` prints.

``python tests/parity/check/test_check_page.py`` writes the outputs anew, and the picture.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import parity
from parity.backends import backend
from parity.backends.base import Setting
from parity.explain.diagnosis import diagnose
from parity.features.check import in_process
from parity.features.check.log import check_log
from parity.features.check.run import check
from parity.features.check.states import pairs
from parity.features.check.target import load, parse
from parity.features.check.template import template
from parity.features.check.terminal import print_diagnosis
from parity.hyper_words import hyper_parameters

ROOT = Path(__file__).parents[3]
PAGE, README = ROOT / "docs" / "check.md", ROOT / "README.md"
SHOWN = re.compile(r"^```sh\n((?:parity [^\n]*\n)+)```\n\n```text\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
"""Commands, and what the last one prints."""


def option(words: list[str], name: str) -> list[str]:
    return [words[i + 1] for i, word in enumerate(words[:-1]) if word == name]


@cache
def checked(command: str) -> tuple[str, Any]:
    """The target of a command and its diagnosis, made in this process and this folder."""
    words = shlex.split(command)
    what = parse(words[2])
    hyper, dtype = hyper_parameters(option(words, "--hyper")), next(iter(option(words, "--dtype")), None)
    if what.is_class:
        against, state = next(iter(option(words, "--against")), None), pairs(option(words, "--state"))
        return words[2], in_process.check_class_here(load(what), hyper, against, ("float64", "float32"), state)
    experiment = parity.load(option(words, "--experiment")[0])
    if ranks := option(words, "--ranks"):
        return words[2], check(words[2], experiment, ranks=int(ranks[0]), limit=600)
    if what.is_log:
        return words[2], check_log(what.place, experiment, dtype=dtype)
    trajectory, observed = in_process.trajectory_here(load(what), experiment, dtype or "float64")
    return words[2], diagnose(experiment, trajectory, observed=observed)


def printed(command: str, width: int = 120) -> str:
    """What it prints, without the line that names the results folder."""
    text = io.StringIO()
    print_diagnosis(*checked(command), Console(file=text, width=width, color_system=None))
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().rstrip().splitlines())


def prepare(folder: Path) -> None:
    """The files that the page names: the examples, its own block of Python, and the run that it checks as a log."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    code = re.search(r"```python\n(# tutorial\.py\n.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert code is not None
    (folder / "tutorial.py").write_text(code[1])
    scheduled = "check-adamw-schedule"
    (folder / "loop.py").write_text(template(parity.load(scheduled), scheduled))
    run = backend("torch").run(
        parity.load("s0-concise-lazy-lam3"), Setting(dtype="float32", formulation="weight_decay")
    )
    place = folder / "concise/trajectories/s0-concise-lazy-lam3--cpu-float32-weight_decay-for-loop.npz"
    place.parent.mkdir(parents=True)
    run.save(place)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder, before = tmp_path_factory.mktemp("page"), Path.cwd()
    prepare(folder)
    path = sys.path[:]
    os.chdir(folder)
    yield folder
    os.chdir(before)
    sys.path[:] = path


EXAMPLES = SHOWN.findall(PAGE.read_text(encoding="utf-8"))
(FRONT,) = SHOWN.findall(README.read_text(encoding="utf-8"))
LONG = ("examples/own/run.csv",)
"""Targets that take seconds: a log without weights is held to a run of every named fault."""


@pytest.mark.slow
@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("commands", "shown"),
    [
        pytest.param(*example, id=target, marks=pytest.mark.slow if target in LONG else ())
        for example in EXAMPLES
        for target in [shlex.split(example[0])[2]]
    ],
)
def test_the_page_shows_what_is_printed(commands: str, shown: str) -> None:
    assert printed(commands.splitlines()[-1]) == shown


@pytest.mark.usefixtures("files")
def test_the_readme_shows_what_is_printed() -> None:
    commands, shown = FRONT
    assert printed(commands.splitlines()[-1]) == shown


@pytest.mark.usefixtures("files")
def test_what_the_page_of_the_examples_shows_in_part_is_printed() -> None:
    """Every line, in order; ``...`` stands for lines that are left out."""
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    shown = next(block for language, block in found if language in ("", "text"))
    left = iter(printed(FRONT[0].splitlines()[-1], 100).splitlines())
    for line in shown.splitlines()[1:]:  # there the function goes by its own name
        assert line == "..." or line in left, line


def rewrite() -> None:
    """The outputs of the pages, and the picture of one, as they are now."""
    from parity.features.check.picture import draw  # imports matplotlib, which no test of this file needs

    os.chdir(tempfile.mkdtemp())
    prepare(Path.cwd())
    for page, examples in ((PAGE, EXAMPLES), (README, [FRONT])):
        text = page.read_text(encoding="utf-8")
        for commands, shown in examples:
            head = f"```sh\n{commands}```\n\n```text\n"
            text = text.replace(f"{head}{shown}```", f"{head}{printed(commands.splitlines()[-1])}```")
        page.write_text(text, encoding="utf-8")
    target, found = checked(EXAMPLES[0][0].splitlines()[-1])
    draw(target, found, PAGE.parent / "images" / "check-residual.png")


if __name__ == "__main__":
    rewrite()
