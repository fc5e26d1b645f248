"""`parity run` on a large CSV file, beside a script that reads it once and trains with torch alone.

Both are whole processes, the interpreter and all imports included, one after the other in turns: the seconds on the
clock, the CPU-seconds and the peak memory of each, and the ratios of the smallest times.

    python -m benchmarks.large_data [--rows 500000] [--rounds 3]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.common import Grid

FEATURES, BATCH = 10, 1000
EXPERIMENT = f"""
name = "large"
epochs = 1
[data]
kind = "file"
path = "large.csv"
validation_fraction = 0.2
[loss]
kind = "squared_error"
factor = 0.5
reduction = "mean"
[optimizer]
kind = "sgd"
lr = 0.01
[batches]
size = {BATCH}
"""
PARITY = ["-m", "parity", "run", "large.toml", "--dtype", "float64", "--formulation", "loss", "--out", "results"]
PEER = f"""
import numpy as np
import torch

table = np.loadtxt("large.csv", delimiter=",", skiprows=1)
rows = 4 * len(table) // 5
X, y = torch.tensor(table[:rows, :-1]), torch.tensor(table[:rows, -1:])
net = torch.nn.Linear({FEATURES}, 1, dtype=torch.float64)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
for start in range(0, rows, {BATCH}):
    optimizer.zero_grad()
    loss = 0.5 * ((net(X[start : start + {BATCH}]) - y[start : start + {BATCH}]) ** 2).mean()
    loss.backward()
    optimizer.step()
"""


@dataclass(frozen=True)
class Process:
    """What one process took: ``wall`` and ``cpu`` in seconds, ``peak`` memory in MB."""

    wall: float
    cpu: float
    peak: float

    def cells(self) -> tuple[str, str, str]:
        return f"{self.wall:.1f}", f"{self.cpu:.1f}", f"{self.peak:.0f}"


def least(processes: Sequence[Process]) -> Process:
    """The smallest number of each kind: other programs can only add to it."""
    return Process(*(min(numbers) for numbers in zip(*map(astuple, processes), strict=True)))


def measure(words: list[str], folder: Path) -> Process:
    """Run Python in a folder and wait for its end. Raises :class:`RuntimeError` where it fails."""
    start = time.perf_counter()
    with (folder / "output.txt").open("w") as output:
        child = subprocess.Popen([sys.executable, *words], cwd=folder, stdout=output, stderr=output)
        _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError((folder / "output.txt").read_text())
    kilobytes = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Process(time.perf_counter() - start, used.ru_utime + used.ru_stime, kilobytes / 1000)


def write_data(path: Path, rows: int) -> None:
    """A table of normal numbers with a line of names; the target is a linear function with noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, FEATURES))
    y = X @ rng.standard_normal(FEATURES) + 0.1 * rng.standard_normal(rows)
    names = ",".join([*(f"x{i}" for i in range(FEATURES)), "y"])
    np.savetxt(path, np.column_stack([X, y]), fmt="%.6f", delimiter=",", header=names, comments="")


def main(
    rows: Annotated[int, typer.Option(help="Rows of the file.")] = 500_000,
    rounds: Annotated[int, typer.Option(help="Processes of each kind.")] = 3,
) -> None:
    """Measure both and print them side by side."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder / "large.csv", rows)
        (folder / "large.toml").write_text(EXPERIMENT)
        commands = {"parity run": PARITY, "torch alone": ["-c", PEER]}
        taken: dict[str, list[Process]] = {what: [] for what in commands}
        for _ in range(rounds):
            for what, words in commands.items():
                taken[what].append(measure(words, folder))
        size = (folder / "large.csv").stat().st_size / 1e6
    ours, peer = (least(some) for some in taken.values())
    ratios = (ours.wall / peer.wall, ours.cpu / peer.cpu, ours.peak / peer.peak)
    table: list[Sequence[str]] = [(what, *least(some).cells()) for what, some in taken.items()]
    table.append(("ratio", *(f"{ratio:.2f}" for ratio in ratios)))
    Grid(f"{rows:,} rows of {FEATURES} features, {size:.0f} MB", ("", "wall s", "CPU s", "peak MB"), table).show()


if __name__ == "__main__":
    typer.run(main)
