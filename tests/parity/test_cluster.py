"""Runs on an executor: the same numbers as in this process, and none lost with a worker."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parity.cli import main
from parity.errors import InputError
from parity.features.sweep.beside import beside
from parity.features.sweep.grid import grid
from parity.features.sweep.run import sweep
from parity.features.verify.case import Case, Result
from parity.features.verify.verify import run_all, select
from refimpl.errors import DataError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_a_sweep_has_the_same_numbers_on_an_executor(bench: Any, threads: ThreadPoolExecutor) -> None:
    here, there = (sweep(bench.experiment(), grid("0,1,300"), seeds=2, executor=one) for one in (None, threads))
    assert here.to_json() == there.to_json()
    same = (beside(here, executor=one) for one in (None, threads))
    assert len({(one.norm.tobytes(), one.verdicts.tobytes(), one.difference.tobytes()) for one in same}) == 1


def test_an_error_comes_whole_from_another_process() -> None:
    error = DataError("rows.csv", given="3 columns", allowed="2", remedy="cut one")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is DataError and str(again) == str(error) and again.what == "rows.csv"


def crashes(case: Case) -> Result:
    if case.size == 7:
        raise MemoryError("no memory left\nand more")
    return Result(case=case, verdict="agree", text="")


def test_a_case_that_raises_on_an_executor_costs_itself_alone(threads: ThreadPoolExecutor) -> None:
    wanted = [replace(CASE, size=size) for size in (1, 7, 33)]
    found = {result.case.size: result for result in run_all(wanted, 1, crashes, executor=threads)}
    assert [found[size].verdict for size in (1, 7, 33)] == ["agree", "error", "agree"]
    assert found[7].text == "no memory left"


(CASE,) = select(None, None, None, None, None, "SGD/defaults/for-loop/float64/cpu/plain/7")


@pytest.mark.slow
def test_the_zoo_has_the_same_rows_on_an_executor(threads: ThreadPoolExecutor) -> None:
    from benchmarks.zoo.catalogue import CATALOGUE
    from benchmarks.zoo.run import checked

    entry = replace(CATALOGUE[0], target="torch.optim:SGD", hyper=("lr=0.1",), against="SGD(lr=0.1)")
    here, there = (dict(checked([entry], 60, one, threads))[entry] for one in (None, threads))
    assert here["verdict"] == "agree" and here | {"seconds": 0} == there | {"seconds": 0}


def test_a_scheduler_that_is_none_is_said_in_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["sweep", "check-small", "--strength", "1,2", "--out", str(tmp_path), "--scheduler", "localhost"]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("parity: --scheduler localhost: ") and error.count("\n") == 1


# -- Dask ----------------------------------------------------------------------------------------------------------


def start(*words: str) -> subprocess.Popen[bytes]:
    """A program of Dask in a process group of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    return subprocess.Popen([sys.executable, "-m", *words], env=environment, **quiet)


def end(program: subprocess.Popen[bytes]) -> None:
    if program.poll() is None:
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A scheduler on the loopback address."""
    pytest.importorskip("distributed", reason="pip install -e '.[cluster]'")
    file = tmp_path / "scheduler.json"
    words = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    program = start("distributed.cli.dask_scheduler", *words)
    try:
        while not file.exists() or not file.read_text(encoding="utf-8").endswith("}"):
            assert program.poll() is None
            time.sleep(0.1)
        yield json.loads(file.read_text(encoding="utf-8"))["address"]
    finally:
        end(program)


def worker(address: str, threads: int = 1) -> subprocess.Popen[bytes]:
    return start("distributed.cli.dask_worker", address, "--nthreads", str(threads), "--no-dashboard", "--no-nanny")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Dask, when a worker is gone
def test_no_case_is_lost_with_a_worker_that_is_killed(address: str) -> None:
    from parity.cluster import cluster

    wanted = select(["SGD"], ["for-loop"], ["float64"], ["cpu"], None)
    workers = [worker(address) for _ in range(2)]
    there: dict[str, Result] = {}
    try:
        with cluster(address) as executor:
            for result in run_all(wanted, 1, executor=executor):
                there[result.case.id] = replace(result, seconds=0.0)
                if len(there) == 20:
                    end(workers[0])
    finally:
        for program in workers:
            end(program)
    assert {"agree", "unsupported"} <= {result.verdict for result in there.values()}
    here = {result.case.id: replace(result, seconds=0.0) for result in run_all(wanted, 2)}
    assert len(wanted) > 300 and there == here


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_twenty_thousand_runs_on_two_workers_are_those_of_one_process(address: str, tmp_path: Path) -> None:
    workers = [worker(address) for _ in range(2)]
    words = ["sweep", "check-small", "--strength", "log:1e-3:1e2:200", "--seeds", "100"]
    try:
        for name, more in {"here": [], "there": ["--scheduler", address]}.items():
            assert main([*words, *more, "--out", str(tmp_path / name), "--json", str(tmp_path / f"{name}.json")]) == 0
    finally:
        for program in workers:
            end(program)
    assert (tmp_path / "here.json").read_bytes() == (tmp_path / "there.json").read_bytes()
    assert (tmp_path / "here/sweep.csv").read_bytes() == (tmp_path / "there/sweep.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_worker_with_several_threads_is_refused(address: str) -> None:
    from parity.cluster import cluster

    program = worker(address, threads=2)
    try:
        with pytest.raises(InputError, match="has 2 threads; start it with --nthreads 1"), cluster(address):
            pass
    finally:
        end(program)
