"""Training code in a process of its own: it may have workers, and nothing of it lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import parity
from parity.features.check.run import check

MAIN = """
import argparse, subprocess, sys, time
from pathlib import Path

import parity
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def main():
    argparse.ArgumentParser().parse_args()
    material = parity.load("check-sgd").draw()
    X, y = (torch.tensor(a[0], dtype=torch.float32) for a in (material.dataset.X, material.dataset.y))
    net, other = nn.Linear(30, 1), nn.Linear(30, 1)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(torch.tensor(material.params[name][0]))
    rows = [each.tolist() for epoch in material.order for each in epoch]
    optimizer = torch.optim.SGD([{"params": other.parameters()}, {"params": net.bias},
                                 {"params": net.weight, "weight_decay": 0.3}], lr=0.03)
    for x, t in DataLoader(TensorDataset(X, y.reshape(-1, 1)), batch_sampler=rows, num_workers=1):
        optimizer.zero_grad()
        (0.5 * ((net(x) - t) ** 2).mean()).backward()
        optimizer.step()
    assert "torch._dynamo.config" not in sys.modules
    import torch._dynamo.config as config
    from torch._dynamo import eval_frame
    assert eval_frame.config is config is torch._dynamo.config
    torch._dynamo.graph_break()


def sleeps(task):
    child = subprocess.Popen(["sleep", "600"])
    place = Path(__file__).with_name("started")
    place.with_suffix(".new").write_text(str(child.pid))
    place.with_suffix(".new").rename(place)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mine") / "mine.py"
    path.write_text(MAIN)
    return path


@pytest.mark.slow
def test_a_function_without_argument_is_matched_by_shape_and_start_and_may_have_loader_workers(
    mine: Path,
) -> None:
    found = check(f"{mine}:main", experiment=parity.load("check-sgd"))
    assert found.verdict == "agree", found.text


def test_nothing_lives_on_after_a_kill(mine: Path) -> None:
    words = [sys.executable, "-m", "parity", "check", f"{mine}:sleeps", "--out", str(mine.parent / "out")]
    ours = subprocess.Popen(words)
    started, until = mine.with_name("started"), time.monotonic() + 60
    while not started.exists():
        assert ours.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    child = int(started.read_text())
    assert alive(child)
    ours.send_signal(signal.SIGKILL)
    ours.wait()
    while alive(child):
        assert time.monotonic() < until
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Neither gone nor a zombie that nobody has waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")
