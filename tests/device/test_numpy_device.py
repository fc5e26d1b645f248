"""Nothing is tied to the CPU: run, verify and watch find the faulty kernels of another device, and only these."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WAYS = {"run", "verify", "watch"}
FINDS = {
    "right": set(),
    "reordered": set(),
    "coarse operands": {"run"},  # only the gradients and losses are matrix products
    "no bias": {"run"},
    "flushed": {"verify"},  # only its numbers lie near the least of a format
    "last block skipped": WAYS,
}


def with_device(*command: str) -> str:
    """What a Python with the device prints."""
    path = os.pathsep.join([str(HERE), *sys.path])
    done = subprocess.run(
        [sys.executable, *command], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def said() -> dict[str, dict[str, list[str]]]:
    printed: dict[str, dict[str, list[str]]] = json.loads(with_device(str(HERE / "three_ways.py")))
    assert printed.keys() == FINDS.keys()
    return printed


def test_each_faulty_kernel_is_found_by_what_sees_it(said: dict[str, dict[str, list[str]]]) -> None:
    found = {
        kernels: {way for way, texts in ways.items() if any(text.startswith("disagree") for text in texts)}
        for kernels, ways in said.items()
    }
    assert found == FINDS, said


def test_right_kernels_are_judged_and_agree(said: dict[str, dict[str, list[str]]]) -> None:
    verdicts = [text.split()[0] for kernels in ("right", "reordered") for way in WAYS for text in said[kernels][way]]
    assert set(verdicts) == {"agree"}, said


@pytest.mark.slow
def test_the_command_line_takes_a_device_that_torch_loads_by_itself(tmp_path: Path) -> None:
    """Worker processes of `verify` have it, too. Fused kernels are left out: here they are the CPU's. So is foreach
    RAdam, in float16 nan wherever it runs: the known deviation ``foreach-radam-nan`` explains the CPU only."""
    chosen = "plain and not fused and not SparseAdam and not nesterov and not (RAdam and foreach)"
    words = ["--device", "npy", "-k", chosen]
    out = ["--json", "-", "--out", str(tmp_path)]
    counts = json.loads(with_device("-m", "parity", "verify", "--quick", *words, *out))["counts"]
    assert counts["agree"] > 15 and counts.keys() <= {"agree", "unsupported"}, counts
