"""However the command starts and ends, there is no traceback, and no verdict that it did not reach."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from importlib.metadata import entry_points
from typing import Any, get_args

import pytest

from parity import options
from parity.backends.base import DTYPES, IMPLEMENTATIONS, Implementation
from parity.cli import main
from parity.formulation import FORMULATIONS, Formulation


def test_a_fault_of_the_program_is_one_line_and_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("parity.cli.app", broken)
    assert main(["list"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "ZeroDivisionError: by zero; this is a fault of parity and no verdict" in line


@pytest.mark.parametrize(
    ("shell", "code"),
    [("list >&-", 0), ("show s0-scratch-lam3 > /dev/full", 2), ("list | true", 0)],
    ids=["closed", "full", "unread"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="needs a shell and /dev/full")
def test_an_output_that_takes_nothing_ends_without_a_traceback(shell: str, code: int) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m parity {shell}"], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == code


def test_python_m_parity_is_the_command_and_what_a_terminal_cannot_print_is_a_question_mark() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "parity", "show", "s0-scratch-lam3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0 and "?" in done.stdout


@pytest.mark.parametrize("error", [BrokenPipeError(), BrokenPipeError(errno.EPIPE, ""), SystemExit(1)], ids=repr)
def test_a_reader_who_leaves_early_is_no_error_and_no_verdict(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("parity.features.gallery.command.load_all", gone)
    assert main(["list"]) == 2
    assert capsys.readouterr().err == ""


def test_the_console_script_is_the_command() -> None:
    (script,) = entry_points(group="console_scripts", name="parity")
    assert script.load() is main


def test_the_names_in_the_help_are_those_of_the_modules() -> None:
    assert options.DTYPE_NAMES == DTYPES
    assert options.FORMULATION_NAMES == FORMULATIONS == get_args(Formulation)
    assert options.IMPLEMENTATION_NAMES == IMPLEMENTATIONS == get_args(Implementation)
