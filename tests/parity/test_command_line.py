"""The command line as a reader meets it: groups, examples, one name for one option, completion, "did you mean"."""

from __future__ import annotations

import csv
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

import parity
from parity import completion
from parity.backends import backend
from parity.backends.base import Setting
from parity.cli import COMMANDS, main
from parity.features.answers.answers import ANSWERS
from parity.features.bridges.bridges import BRIDGES
from parity.features.known.known import KNOWN
from parity.features.verify.options import OPTIONS
from parity.situations import SITUATIONS
from refimpl.conventions import CONVENTIONS
from refimpl.optimizers import OPTIMIZERS

ROOT = Path(__file__).parents[2]
EXAMPLES = [(name, example) for name, command in COMMANDS.items() for example in command.examples]
LONG = (
    "parity run",
    "parity check torch.optim",
    "parity check examples/trainers",
    "parity verify",
    "parity sweep",
    "parity check examples/own/run.csv",
    "parity bridge ",
)
"""What begins so takes seconds or more."""


# -- help ---------------------------------------------------------------------------------------------------------


def helped(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words, "--help"]) == 0
    return " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_the_help_has_every_command_in_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    groups: dict[str, list[str]] = {}
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("╭─"):
            lines = groups.setdefault(line.strip("╭─╮ "), [])
        elif line.startswith("│ ") and line[2] != " ":
            lines.append(line.split()[1])
    assert list(groups) == ["Options", "Your own code", "Experiments", "PyTorch itself", "The mathematics"]
    assert {name: group for group, names in groups.items() for name in names if group != "Options"} == {
        name: command.group for name, command in COMMANDS.items()
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples_of_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = helped(capsys, name)
    assert COMMANDS[name].examples
    for example in COMMANDS[name].examples:
        assert example in text
    assert f"parity {name}" in COMMANDS[name].examples[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A place that has the files that the examples name."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples", "examples")
    for target, words in {"mine.toml": ["show", "s0-scratch-lam3"], "loop.py": ["check", "--template"]}.items():
        assert main(words) == 0
        Path(target).write_text(capsys.readouterr().out)
    run = backend("torch").run(parity.load("check-sgd"), Setting(dtype="float64", formulation="loss"))
    for name in ("before", "after"):
        run.save(Path(f"{name}.npz"))
        with Path(f"{name}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["loss", "norm"])
            rows.writerows(zip(run.loss[:, 0], run.norm[1:, 0], strict=True))
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "example",
    [
        pytest.param(example, marks=pytest.mark.slow if example.startswith(LONG) else (), id=example)
        for _, example in EXAMPLES
    ],
)
def test_every_example_runs(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, _, target = example.partition(" > ")
    code = main(shlex.split(words)[1:])
    out, err = capsys.readouterr()
    assert code == int("--against adamw" in example), err
    if target:
        assert out == Path(target).read_text(encoding="utf-8")


# -- one name for one thing ---------------------------------------------------------------------------------------


def parameters() -> list[tuple[str, Any]]:
    """Every option and argument with its command."""
    described = typer.Typer()
    for name, command in COMMANDS.items():
        described.command(name, context_settings=command.settings)(command.does)
    group: Any = get_command(described)
    return [(name, parameter) for name, command in group.commands.items() for parameter in command.params]


def test_an_option_takes_the_same_wherever_it_stands() -> None:
    """Its value has one name in all commands, and every one has a sentence of its own or a shared one."""
    names: dict[str, set[str | None]] = {}
    for _, parameter in parameters():
        assert parameter.help and parameter.help.endswith("."), parameter.name
        for option in parameter.opts:
            names.setdefault(option, set()).add(parameter.metavar)
    assert {option: metavars for option, metavars in names.items() if len(metavars) > 1} == {}


def test_what_can_be_repeated_says_so() -> None:
    for command, parameter in parameters():
        if getattr(parameter, "multiple", False):
            assert "May be repeated." in parameter.help, (command, parameter.name)


# -- completion ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("completer", "registry"),
    [
        (completion.questions, ANSWERS),
        (completion.bridges, BRIDGES),
        (completion.facts, KNOWN),
        (completion.references, OPTIMIZERS),
        (completion.libraries, CONVENTIONS),
        (completion.situations, SITUATIONS),
        (completion.optimizers, OPTIONS),
        (completion.experiments, parity.gallery.names()),
    ],
)
def test_all_names_of_a_registry_are_completed(completer: Callable[[str], list[str]], registry: Any) -> None:
    assert set(completer("")) == set(registry)
    first = next(iter(registry))
    assert first in completer(first[:2].upper())
    assert completer("no name begins so") == []


STARTED = "import sys; from parity.cli import main; sys.argv[0] = 'parity'; sys.exit(main())"


def shell(words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", STARTED, *shlex.split(words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("parity ans", ["answer"]),
        ("parity run s1-x", ["s1-xor", "s1-xor-lam0"]),
        ("parity answer s0", ["s0-nine-times"]),
        ("parity check torch.optim:Lion --against lio", ["lion"]),
        ("parity run s1-xor --dtype bf", ["bfloat16"]),
        ("parity verify --optimizer RMS", ["RMSprop"]),
    ],
)
def test_the_shell_completes_names(line: str, completed: list[str]) -> None:
    words = line.split()
    place = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_PARITY_COMPLETE": "complete_bash"}
    done = shell("", **place)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, completed, "")


@pytest.mark.skipif(sys.platform == "win32", reason="asks for bash")
def test_completion_is_installed_for_a_shell(tmp_path: Path) -> None:
    place = {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = shell("--install-completion bash", **place)
    assert done.returncode == 0 and "bash completion installed" in done.stdout, done.stderr
    assert "_PARITY_COMPLETE" in "".join(file.read_text() for file in tmp_path.rglob("*.sh"))


# -- did you mean -------------------------------------------------------------------------------------------------

TYPOS = {
    "chek": "'check', 'schema'",
    "run s1-xor --dtpye float32": "--dtype",
    "--verison": "--version",
    "run s1-xr": "'s1-xor'",
    "show s1-xr": "'s1-xor'",
    "trace s1-xr": "'s1-xor'",
    "sweep s1-xr": "'s1-xor'",
    "stability s1-xr": "'s1-xor'",
    "run mien.toml": "'mine.toml'",
    "run s1-xor --dtype flaot32": "'float32'",
    "run s1-xor --formulation maunal": "'manual'",
    "run s1-xor --implementation forech": "'foreach'",
    "run s1-xor --backend toch": "'torch'",
    "run s1-xor --device cdua": "'cuda'",
    "trace s1-xor --dtype flaot32": "'float32'",
    "trace s1-xor --formulation maunal": "'manual'",
    "trace s1-xor --parameter bais": "'bias'",
    "sweep s0-scratch-lam3 --torch --dtype flaot32": "'float32'",
    "sweep check-l1 --penalty l1x": "'l1'",
    "answer s0-nin-times": "'s0-nine-times'",
    "bridge earli-stopping": "'early-stopping'",
    "known adam-decay-is-copled": "'adam-decay-is-coupled'",
    "verify --optimizer SDG": "'SGD'",
    "verify --implementation forech": "'foreach'",
    "verify --dtype flaot32": "'float32'",
    "verify --situation plian": "'plain'",
    "verify -k SGD/momentom/fused/float32/cpu/plain/33": "'momentum'",
    "check torch.optim:AdmaW": "'AdamW'",
    "check torch.optm:Adam": "'torch.optim'",
    "check examples/train_tutoral.py:train --experiment check-mse": "'examples/train_tutorial.py'",
    "check examples/train_tutorial.py:trian --experiment check-mse": "'train'",
    "check examples/train_tutorial.py:train --experiment check-mze": "'check-mse'",
    "check examples/train_tutorial.py:train --experiment check-mse --dtype flaot32": "'float32'",
    "check torch.optim:Adam --against adamm": "'adam'",
    "check torch.optim:SGD --hyper lr=0.1 --against sgd(momentun=0)": "'momentum'",
    "check torch.optim:Adam --hyper lrr=0.1": "'lr'",
    "compare befor.npz after.npz": "'before.npz'",
    "compare before.npz after.npz --experiment check-sdg": "'check-sgd'",
    "compare before.npz after.npz --dtype flaot32": "'float32'",
    "convert --from toch --l2 3 --to keras": "'torch'",
    "convert --from torch --l2 3 --to kears": "'keras'",
    "convert --from torch --loss msee --l2 3 --to keras": "'mse'",
    "convert --from torch --wieght-decay 3 --to keras": "'weight-decay'",
    "convert --from torch --l2 3 --to keras --to-loss msee": "'mse'",
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("line", "meant"), TYPOS.items())
def test_a_name_with_a_slip_is_one_line_with_the_name_that_was_meant(
    line: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(shlex.split(line.replace("(", "'(").replace(")", ")'"))) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1, err
    assert f"did you mean {meant}?" in err


KINDS = {
    "data": ("gausian", "'gaussian'"),
    "loss": ("squared_eror", "'squared_error'"),
    "optimizer": ("sdg", "'sgd'"),
    "model": ("linaer", "'linear'"),
}


@pytest.mark.parametrize("table", KINDS)
def test_so_is_a_kind_in_an_experiment_file(table: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong, meant = KINDS[table]
    text = (folder / "mine.toml").read_text()
    right = meant.strip("'")
    changed = (
        text.replace(f'kind = "{right}"', f'kind = "{wrong}"')
        if f'kind = "{right}"' in text
        else f'{text}\n[{table}]\nkind = "{wrong}"\n'
    )
    (folder / "mine.toml").write_text(changed)
    capsys.readouterr()
    assert main(["run", "mine.toml"]) == 2
    assert f"did you mean {meant}?" in capsys.readouterr().err
