"""An interrupted run ends with 130 and one line; what had finished is on disk, what was there before is whole."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.cli import main
from parity.features.run import run as runner
from parity.output import check_place, write_whole
from refimpl.trajectory import Trajectory

FINISHED = ["s1-xor--cpu-float64-loss-for-loop.npz", "s1-xor--cpu-float64-weight_decay-for-loop.npz"]
WORDS = ["run", "s1-xor", "--device", "cpu", "--dtype", "float64", "--out", "results"]
LINE = "parity: interrupted; the trajectories of finished runs are in the results folder, its earlier report is kept\n"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the results of an earlier run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results" / "trajectories").mkdir(parents=True)
    (tmp_path / "results" / "report.json").write_text("earlier")
    (tmp_path / "results" / "s1-xor--losses.png").write_text("earlier")
    (tmp_path / "results" / "trajectories" / "s1-xor--cpu-float64-manual-for-loop.npz").write_text("earlier")
    return tmp_path


def assert_whole(place: Path) -> None:
    """Two runs had finished; the third had not."""
    results = place / "results"
    assert (results / "report.json").read_text() == "earlier"
    assert (results / "s1-xor--losses.png").read_text() == "earlier"
    assert (results / "trajectories" / "s1-xor--cpu-float64-manual-for-loop.npz").read_text() == "earlier"
    for name in FINISHED:
        assert Trajectory.load(results / "trajectories" / name).steps == 100
    assert {path.name for path in results.rglob("*") if path.is_file()} == {
        *("report.json", "s1-xor--losses.png", "s1-xor--reference.npz"),
        *("s1-xor--cpu-float64-manual-for-loop.npz", *FINISHED),
    }


def test_an_interrupt_while_the_third_run_is_judged(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    judged, calls = runner.judged, []

    def interrupted(*words: Any, **options: Any) -> Any:
        calls.append(words)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return judged(*words, **options)

    monkeypatch.setattr(runner, "judged", interrupted)
    assert main([*WORDS, "--json", "earlier.json"]) == 130
    out, err = capsys.readouterr()
    assert (out, err) == ("", LINE)
    assert_whole(place)
    assert not (place / "earlier.json").exists()


def test_an_interrupt_while_the_third_trajectory_is_written(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a file was written under a temporary name, which is removed."""
    save, calls = np.savez_compressed, []

    def interrupted(file: Any, **arrays: Any) -> None:
        calls.append(file)
        if len(calls) == 4:  # the reference, two runs, this one
            file.write(b"half")
            raise KeyboardInterrupt
        save(file, **arrays)

    monkeypatch.setattr(np, "savez_compressed", interrupted)
    assert main(WORDS) == 130
    assert capsys.readouterr().err == LINE
    assert_whole(place)


def test_an_interrupt_while_the_report_is_written(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("parity.features.run.pictures.draw_all", lambda *_: [])
    monkeypatch.setattr("parity.features.run.document.document", interrupted)
    assert main(WORDS) == 130
    assert capsys.readouterr().err == LINE
    assert (place / "results" / "report.json").read_text() == "earlier"


def test_an_interrupt_in_the_middle_of_a_text_leaves_the_earlier_one(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_text

    def half(self: Path, text: str, **options: Any) -> int:
        write(self, text[:3], **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(KeyboardInterrupt):
        write_whole(place / "results" / "report.json", "later")
    assert (place / "results" / "report.json").read_text() == "earlier"
    assert [path.name for path in (place / "results").iterdir() if path.name.startswith(".")] == []


def test_an_interrupt_of_a_command_that_keeps_nothing_says_no_more_than_that(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("parity.features.gallery.command.load_all", interrupted)
    assert main(["list"]) == 130
    assert capsys.readouterr().err == "parity: interrupted\n"
    monkeypatch.setattr("parity.cli.app", lambda **_: interrupted())
    assert main(["list"]) == 130
    assert capsys.readouterr().err == "parity: interrupted\n"


def test_a_link_keeps_pointing_and_the_file_that_it_names_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "folder" / "target.json", tmp_path / "link.json"
    target.parent.mkdir()
    for before in (None, "earlier"):
        if before is None:
            link.symlink_to(target)  # to nothing yet
        check_place(link)
        write_whole(link, "later" if before else "earlier")
        assert link.is_symlink() and target.read_text() == ("later" if before else "earlier")
    assert [path.name for path in target.parent.iterdir()] == ["target.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_place(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, "through")
        assert os.read(reader, 100) == b"through" and stat.S_ISFIFO(pipe.stat().st_mode)
    finally:
        os.close(reader)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_a_real_signal_in_a_real_process(place: Path) -> None:
    """The process sends it to itself where the third run is judged, so that it arrives at the same place each time."""
    program = f"""
import os, signal, sys, time
from parity.features.run import run as runner
from parity.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
judged, calls = runner.judged, []
def interrupted(*words, **options):
    calls.append(words)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    return judged(*words, **options)
runner.judged = interrupted
sys.exit(main({WORDS!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", LINE)
    assert_whole(place)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_an_interrupted_verify_says_how_to_go_on_and_goes_on(place: Path) -> None:
    """The signal arrives with the eleventh result; the second run makes the others only."""
    words = ["verify", "--optimizer", "SGD", "--dtype", "float32", "-k", "for-loop", "--out", "matrix"]
    program = f"""
import os, signal, sys
from parity.features.verify import verify
from parity.cli import main
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    as_known, calls = verify.as_known, []
    def interrupting(result):
        calls.append(result)
        if len(calls) == 11:
            os.kill(os.getpid(), signal.SIGINT)
        return as_known(result)
    verify.as_known = interrupting
    sys.exit(main({words!r}))
"""
    (place / "program.py").write_text(program)
    done = subprocess.run([sys.executable, "program.py"], capture_output=True, text=True, timeout=120)
    line = "parity: interrupted; all results so far are kept: the same command with --out matrix --resume goes on\n"
    assert (done.returncode, done.stdout, done.stderr) == (130, "", line)
    results = place / "matrix" / "results.jsonl"
    kept = results.read_text()
    assert kept.count("\n") == 11  # each is written before it is looked at
    assert main([*words, "--resume", "--jobs", "1"]) == 0
    assert results.read_text().startswith(kept) and results.read_text().count("\n") > 30
    assert main([*words[:-2], "-k", "plain and for-loop", "--out", "matrix", "--jobs", "1"]) == 0
    assert (place / "matrix" / "results-earlier.jsonl").read_text().startswith(kept)
