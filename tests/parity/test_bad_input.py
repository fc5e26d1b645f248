"""Bad input gives one clear line and exit code 2, and leaves every earlier file as it was."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from parity.cli import main
from tests.parity.bad_files import BASE, FILES, loaded

# What is wrong → the words on the command line and what the line must say.
WORDS: dict[str, tuple[list[str], list[str]]] = {
    "an unknown experiment": (
        ["run", "s0-scrach-lam3"],
        ["s0-scrach-lam3: no such experiment", "parity list", "did you mean 's0-scratch-lam3'?"],
    ),
    "a pattern that matches nothing": (["run", "z9-*"], ["z9-*: no such experiment", "parity list"]),
    "an unknown experiment to show": (["show", "s1-xr"], ["s1-xr: no such experiment", "did you mean 's1-xor'?"]),
    "a missing file": (["run", "nothing.toml"], ["nothing.toml: no such file", "parity list"]),
    "a folder as a file": (["run", "./folder"], ["./folder: no such file", "give an experiment file"]),
    "a folder called .toml": (["run", "folder.toml"], ["folder.toml: no such file", "give an experiment file"]),
    "one name from two files": (["run", "mine.toml", "copy.toml"], ["mine: given twice", "a name of its own"]),
    "an unknown option": (["run", "mine.toml", "--devise", "cpu"], ["--devise", "--device", "parity --help"]),
    "an unknown command": (["rum", "mine.toml"], ["'rum'", "'run'", "parity --help"]),
    "a missing argument": (["run"], ["Missing argument 'EXPERIMENT...'", "parity --help"]),
    "two experiments to show": (["show", "s3-concise-*"], ["stands for 2 experiments", "give the name of one"]),
    "a missing argument of show": (["show"], ["Missing argument 'EXPERIMENT'", "parity --help"]),
    "an argument too many": (["list", "mine.toml"], ["mine.toml", "parity --help"]),
    "an option without its value": (["run", "mine.toml", "--json"], ["'--json' requires an argument", "parity --help"]),
    "a flag with a value": (["run", "mine.toml", "--tf32=yes"], ["'--tf32' does not take a value", "parity --help"]),
    "a form factor below 1": (["run", "mine.toml", "--form-factor", "0.5"], ["--form-factor", "equal to 1"]),
    "an infinite form factor": (["run", "mine.toml", "--form-factor", "inf"], ["form factor inf", "a finite number"]),
    "a form factor that is no number": (["run", "mine.toml", "--form-factor", "two"], ["--form-factor", "number"]),
    "an unknown dtype": (
        ["run", "mine.toml", "--dtype", "float23"],
        ["--dtype float23: unknown", "allowed: float64, float32, bfloat16, float16, all", "did you mean 'float32'?"],
    ),
    "an unknown formulation": (
        ["run", "mine.toml", "--formulation", "weight-decay"],
        ["--formulation weight-decay: unknown", "allowed: loss", "did you mean 'weight_decay'?"],
    ),
    "an unknown implementation": (
        ["run", "mine.toml", "--implementation", "fuse"],
        ["--implementation fuse: unknown", "allowed: for-loop", "did you mean 'fused'?"],
    ),
    "an unknown dtype beside a known one": (["run", "mine.toml", "--dtype", "float64", "--dtype", "x"], ["--dtype x"]),
    "a device that is nonsense": (["run", "mine.toml", "--device", "toaster"], ["--device toaster", "here: cpu"]),
    "a device that has no numbers": (
        ["run", "mine.toml", "--device", "meta"],
        ["--device meta", "available here: cpu"],
    ),
    "a device that is not here": (["run", "mine.toml", "--device", "cuda:97"], ["--device cuda:97", "here: cpu"]),
    "results into a file": (["run", "mine.toml", "--out", "data.csv"], ["data.csv: cannot be written", "--out"]),
    "results under a file": (["run", "mine.toml", "--out", "data.csv/here"], ["data.csv/here: cannot be", "--out"]),
    "JSON into a folder that is missing": (
        ["run", "mine.toml", "--json", "nowhere/report.json"],
        ["nowhere/report.json: cannot be written", "No such file", "choose another place"],
    ),
    "JSON over a folder": (["run", "mine.toml", "--json", "folder"], ["folder: cannot be written", "directory"]),
    "an unknown optimizer": (
        ["verify", "--optimizer", "Adamm"],
        ["--optimizer Adamm: unknown", "did you mean 'Adam'?"],
    ),
    "an unknown situation": (["verify", "--situation", "plane"], ["--situation plane", "did you mean 'plain'?"]),
    "an unknown implementation to verify": (["verify", "--implementation", "jit"], ["--implementation jit: unknown"]),
    "an unknown dtype to verify": (["verify", "--dtype", "float8"], ["--dtype float8: unknown", "complex64"]),
    "a device to verify that is not here": (["verify", "--device", "cuda:97"], ["--device cuda:97", "here: cpu"]),
    "an expression that is none": (["verify", "-k", "adam or"], ["-k adam or: is no expression", "parentheses"]),
    "an expression that calls": (["verify", "-k", "sgd (plain)"], ["-k sgd (plain): is no expression"]),
    "an expression without end": (["verify", "-k", 3000 * "not " + "sgd"], ["is no expression", "parentheses"]),
    "an expression that nothing matches": (["verify", "-k", "zebra"], ["no case is left", "SGD/momentum/fused"]),
    "resuming nothing": (["verify", "--resume"], ["--resume: needs the folder", "give --out"]),
    "no processes": (["verify", "--jobs", "0"], ["--jobs", "equal to 1"]),
    "a page over a folder": (["verify", "-k", "zebra", "--html", "folder"], ["folder: cannot be written", "directory"]),
    "results of verify into a file": (
        ["verify", "-k", "SGD/defaults/for-loop/float64/cpu/plain", "--out", "data.csv"],
        ["data.csv: cannot be written", "choose another folder"],
    ),
    "an unknown fact": (["known", "foreach-radam"], ["foreach-radam: no such fact", "parity known"]),
    "a bad file after a good one": (["run", "s1-xor", "bad.toml"], ["bad.toml: is not TOML"]),
    "data that cannot be read after data that can": (["run", "s1-xor", "unreadable.toml"], ["unreadable: nothing.csv"]),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with data files and with the results of an earlier run."""
    monkeypatch.chdir(tmp_path)
    texts = {
        "mine.toml": BASE,
        "copy.toml": BASE,
        "bad.toml": "hello world",
        "unreadable.toml": loaded('path = "nothing.csv"').replace("mine", "unreadable"),
        "data.csv": "a,y\n1,2\n3,4\n",
        "empty.csv": "",
        "nan.csv": "a,y\n1,2\n3,nan\n",
        "ragged.csv": "a,y\n1,2\n3\n",
        "broken.npz": "hello",
        "results/report.json": "earlier",
        "results/mine--losses.png": "earlier",
        "results/trajectories/mine--reference.npz": "earlier",
        "results/trajectories/mine--cpu-float64-loss-for-loop.npz": "earlier",
        "results/trajectories/s1-xor--reference.npz": "earlier",
        "earlier.json": "earlier",
        "folder/file": "",
        "folder.toml/file": "",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    np.savez(tmp_path / "shapes.npz", X=np.ones((3, 2)), y=np.ones(4))
    np.savez(tmp_path / "no_y.npz", X=np.ones((3, 2)))
    return tmp_path


def everything(place: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(place.rglob("*"))}


def complaint(place: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that comes of bad input, everything else being as before."""
    before = everything(place)
    code = main(list(words))
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.startswith("parity: ") and err.endswith("\n")
    assert err[:-1].isprintable(), "one line"
    assert everything(place) == before
    return err


@pytest.mark.parametrize("what", FILES)
def test_a_bad_experiment_file_is_one_line(what: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, said = FILES[what]
    (place / "mine.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    line = complaint(place, capsys, "run", "mine.toml", "--out", "results", "--json", "earlier.json")
    assert [words for words in said if words not in line] == [], line


@pytest.mark.parametrize("what", WORDS)
def test_bad_words_on_the_command_line_are_one_line(what: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, said = WORDS[what]
    out = (
        ["--out", "results"]
        if words[0] == "run" and "--out" not in words and words[-1] not in ("run", "--json")
        else []
    )
    line = complaint(place, capsys, *words[:1], *out, *words[1:])
    assert [fragment for fragment in said if fragment not in line] == [], line


def test_the_file_that_the_bad_ones_are_made_of_is_good(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parity.features.run.pictures.draw_all", lambda *_: [])
    assert main(["run", "mine.toml", "--dtype", "float64", "--formulation", "loss", "--out", "results"]) == 0
    assert capsys.readouterr().err == ""
    assert (place / "results" / "report.json").read_text() != "earlier"


def test_a_byte_order_mark_is_not_bad(place: Path) -> None:
    (place / "mine.toml").write_bytes(b"\xef\xbb\xbf" + BASE.encode())
    assert main(["show", "mine.toml"]) == 0


def test_no_words_at_all_print_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert "Usage" in out and err == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_one_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "folder").chmod(0o500)
    line = complaint(place, capsys, "run", "mine.toml", "--out", "folder/here")
    assert "folder/here: cannot be written (Permission denied)" in line


def test_running_out_of_memory_is_one_line(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError("Unable to allocate 3 TiB")

    monkeypatch.setattr("parity.features.run.run._reference", exhausted)
    (place / "results").rename(place / "kept")
    assert main(["run", "mine.toml"]) == 2
    _, err = capsys.readouterr()
    assert err == "parity: not enough memory (Unable to allocate 3 TiB); give fewer rows, features or epochs\n"


def test_at_least_twenty_five_kinds_are_tried() -> None:
    assert len(FILES) + len(WORDS) >= 25
