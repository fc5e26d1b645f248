"""What each part of the package loads, in one process that asks for one after the other."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys

from parity import completion
from parity.cli import main

def loaded(*names):
    return sorted({*names} & {*sys.modules})

COMMANDS = ["run", "show", "trace", "stability", "answer", "bridge"]
for words in ([], *([command] for command in COMMANDS)):
    assert main([*words, "--help"]) == 0
assert not loaded("torch", "numpy", "scipy", "matplotlib", "msgspec", "jinja2"), "help"

assert all(getattr(completion, name)("") for name in ("questions", "references", "optimizers", "situations"))
assert not loaded("torch", "numpy"), "completion"

assert main(["known", "--help"]) == 0
import parity.features.known.page
assert not loaded("torch"), "known"

import parity.features.verify.heatmap, parity.features.verify.junit
import parity.features.verify.page, parity.features.verify.terminal
assert not loaded("torch"), "the reports of verify"

import parity.features.check.optimizer, parity.features.check.training
assert not loaded("torch"), "the process that judges"
"""


def test_help_and_completion_load_neither_torch_nor_numpy_and_what_judges_and_shows_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Usage") == 8
