"""Whatever stands on the command line or in a file: a verdict, or one line that says what is wrong.

The exit code is 0; or 1, only where a verdict disagrees; or 2, with one line on standard error. There is never a
traceback, a warning or half a file. ``PARITY_FUZZ=20000`` sets the number of inputs, which are drawn anew then.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parity.cli import COMMANDS, main

WANTED = int(os.environ.get("PARITY_FUZZ", "0"))
EXPERIMENT = b"""name = "mine"
epochs = 2
seed = 1
[data]
kind = "gaussian"
train_rows = 4
features = 2
[loss]
kind = "squared_error"
factor = 0.5
reduction = "mean"
[[penalties]]
kind = "l2"
strength = 3.0
parameters = ["weight"]
[optimizer]
kind = "sgd"
lr = 0.01
momentum = 0.5
[batches]
size = 0
[init.weight]
kind = "normal"
std = 0.5
[schedule]
kind = "step"
step_size = 1
"""
"""Two steps; small in every direction."""
OWN_DATA = EXPERIMENT.replace(
    b'kind = "gaussian"\ntrain_rows = 4\nfeatures = 2', b'kind = "file"\npath = "data.csv"\nvalidation_fraction = 0.25'
)
DATA = b"a,b,y\n0.5,1.0,2.0\n-1.0,0.25,1.5\n0.75,-0.5,0.125\n1.0,1.5,-2.0\n"
FAULT = "this is a fault of parity"
ODD = (
    "0 -0.0 1 -1 2 0.5 1e308 -1e308 1e-320 1e400 nan inf -inf 1000000000000 0x10 true null None [] {} [[1]] x é λ \x00 "
    '"" "sgd" "adam" "l1" 2020-01-01 ../mine a/b 1,5 1e 9' + " " + 400 * "1"
).split(" ")
"""Values that someone could write where something else is expected."""
NAMES = ["loss", "norm", "weight", "bias", "weight[0]", "weight[1]", "weight[2]", "bias[0]", "Loss", "‖w‖", "step"]


def cut(text: bytes) -> st.SearchStrategy[bytes]:
    """A text of which a few bytes are missing, there twice, or others."""
    places = st.integers(0, len(text))
    piece = st.one_of(st.binary(max_size=3), st.sampled_from(ODD).map(str.encode), st.sampled_from([b"\n", b",", b'"']))

    def edited(edits: list[tuple[int, int, bytes]]) -> bytes:
        result = text
        for at, gone, new in edits:
            result = result[:at] + new + result[at + gone :]
        return result

    return st.lists(st.tuples(places, st.integers(0, 9), piece), min_size=1, max_size=3).map(edited)


def other_values(text: bytes) -> st.SearchStrategy[bytes]:
    """A TOML text of which some lines have another value, are gone or are there twice."""
    lines = text.splitlines()

    def changed(changes: list[tuple[int, str]]) -> bytes:
        result = list(lines)
        for i, value in changes:
            key, equals, _ = lines[i].partition(b"=")
            new = {"gone": b"", "twice": lines[i] + b"\n" + lines[i]}.get(value)
            result[i] = key + equals + b" " + value.encode() if new is None else new
        return b"\n".join(result)

    value = st.sampled_from([*ODD, "gone", "twice"])
    return st.lists(st.tuples(st.integers(0, len(lines) - 1), value), min_size=1, max_size=3).map(changed)


tomls = st.one_of(other_values(EXPERIMENT), cut(EXPERIMENT))
numbers = st.one_of(st.floats(-3, 3).map(str), st.floats().map(str), st.sampled_from(ODD))
widths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)


def rows_of(width: int) -> st.SearchStrategy[list[list[str]]]:
    """As many rows as the two steps give in one case of twenty: those are explained, which takes seconds."""
    many = st.integers(0, 19).flatmap(lambda k: st.sampled_from([2, 3] if k == 0 else [0, 1, 4, 5]))
    row = st.lists(numbers, min_size=width, max_size=width)
    return many.flatmap(lambda number: st.lists(row, min_size=number, max_size=number))


def as_csv(names: list[str], rows: list[list[str]], separator: str = ",") -> bytes:
    return "\n".join(separator.join(row) for row in [names, *rows]).encode()


def as_jsonl(names: list[str], rows: list[list[str]]) -> bytes:
    return "\n".join(
        "{" + ", ".join(f'"{n}": {v}' for n, v in zip(names, row, strict=True)) + "}" for row in rows
    ).encode()


LOG_CSV = as_csv(["step", "loss", "norm"], [[str(k), "1.5", "0.5"] for k in range(4)])
LOG_JSONL = as_jsonl(["loss", "weight", "bias"], 4 * [["1.5", "[0.5, 1.0]", "0.1"]])


@st.composite
def csvs(draw: Callable[[Any], Any]) -> bytes:
    names = draw(widths)
    return as_csv(names, draw(rows_of(len(names))), draw(st.sampled_from([",", ",", ";", "\t", " "])))


@st.composite
def jsonls(draw: Callable[[Any], Any]) -> bytes:
    names = draw(widths)
    return as_jsonl(names, draw(rows_of(len(names))))


@st.composite
def npzs(draw: Callable[[Any], Any]) -> bytes:
    """Arrays of any kind and shape, and in one case of four not even a whole archive."""
    arrays = {}
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True)):
        rows = draw(st.sampled_from([0, 1, 4, 5] if draw(st.integers(0, 9)) else [2, 3]))
        shape = draw(st.sampled_from([(rows,), (rows, 1), (rows, 2), (rows, 1, 2), (rows, 1, 1), (), (rows, 0)]))
        kind = draw(st.sampled_from(["f8", "f8", "f8", "f4", "f2", "i8", "?", "c16", "U3", "M8[s]", "O"]))
        value = draw(st.sampled_from([0, 1, 0.5, -3, 1e300, float("nan"), float("inf")]))
        with np.errstate(all="ignore"):
            arrays[name] = np.full(shape, value if kind in ("f8", "c16") else 1).astype(kind)
    file = io.BytesIO()
    np.savez(file, **arrays)
    content = file.getvalue()
    return draw(cut(content)) if draw(st.integers(0, 3)) == 0 else content


texts = st.text(st.characters(codec="utf-8", exclude_characters="*?["), max_size=8)
tokens = st.one_of(
    texts,
    st.sampled_from(ODD),
    st.sampled_from(
        ["mine.toml", "log.csv", "log.jsonl", "log.npz", "check-small", "s1-xr", ".", "/dev/null", "-", "--"]
    ),
)
OPTIONS = {
    "run": ["--dtype", "--device", "--formulation", "--implementation", "--form-factor", "--json", "--out", "--tf32"],
    "check": ["--experiment", "--dtype", "--device", "--json", "--out", "--against", "--hyper", "--limit"],
    "compare": ["--experiment", "--dtype", "--json", "--out"],
    "convert": [
        "--from",
        "--to",
        "--loss",
        "--rows",
        "--sd-y",
        "--list",
        "--weight-decay",
        "--alpha",
        "--seed",
        "--json",
    ],
    "known": ["--json"],
    "list": ["--json"],
    "show": ["--json"],
}
CONVERT = ["torch", "sklearn.Ridge", "glmnet", "keras", "mse", "3", "20", "loss"]


@st.composite
def words(draw: Callable[[Any], Any]) -> list[str]:
    """A command, and words that may or may not be for it; a long work is never asked for."""
    command = draw(st.sampled_from([*OPTIONS, "convert"]))
    option = st.sampled_from(OPTIONS[command])
    own = [st.sampled_from(CONVERT)] if command == "convert" else []
    chosen = draw(st.lists(st.one_of(option, tokens, *own), max_size=6))
    if command == "known" and not any(not word.startswith("-") for word in chosen):
        chosen.append("nothing")  # which fact; all of them take seconds
    return [command, *chosen]


RUN = ["run", "mine.toml", "--dtype", "float64", "--formulation", "loss", "--out", "out", "--json", "run.json"]


@st.composite
def command_lines(draw: Callable[[Any], Any]) -> tuple[list[str], dict[str, bytes]]:
    """The words of a command line, and the files beside it."""
    kind = draw(st.sampled_from(["toml", "data", "csv", "jsonl", "npz", "compare", "words", "words", "unknown"]))
    files = {"mine.toml": EXPERIMENT, "log.csv": LOG_CSV, "log.jsonl": LOG_JSONL}
    if kind == "toml":
        return draw(st.sampled_from([["show", "mine.toml"], RUN])), files | {"mine.toml": draw(tomls)}
    if kind == "data":
        data = st.one_of(csvs(), cut(DATA), st.binary(max_size=20))
        return RUN, files | {"mine.toml": OWN_DATA, "data.csv": draw(data)}
    if kind == "words":
        return draw(words()), files
    if kind == "unknown":
        command = draw(st.sampled_from([*COMMANDS, "rum", ""]))
        option = draw(texts.map(lambda text: f"--{text}="))
        return [*filter(None, [command]), option, *draw(st.lists(tokens, max_size=3))], files
    logs = {
        "log.csv": st.one_of(csvs(), cut(LOG_CSV)),
        "log.jsonl": st.one_of(jsonls(), cut(LOG_JSONL)),
        "log.npz": npzs(),
    }
    if kind == "compare":
        first, second = draw(st.permutations(list(logs)))[:2]
        files |= {first: draw(logs[first]), second: draw(logs[second])}
        wanted = draw(st.sampled_from([[], ["--experiment", "mine.toml"]]))
        return ["compare", first, second, "--out", "out", *wanted], files
    name = f"log.{kind}"
    dtype = draw(st.sampled_from([[], ["--dtype", "float32"]]))
    return ["check", name, "--experiment", "mine.toml", "--out", "out", *dtype], files | {name: draw(logs[name])}


def called(arguments: list[str]) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of a command line."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(arguments)
    return code, out.getvalue(), err.getvalue()


def whole(path: Path) -> None:
    """A file that a command wrote is all there."""
    assert not path.name.endswith(".tmp"), path
    content = path.read_bytes()
    if path.suffix == ".json":
        json.loads(content)
    elif path.suffix == ".png":
        assert content.endswith(b"IEND\xaeB`\x82"), path
    elif path.suffix == ".npz":
        with np.load(path) as arrays:
            assert all(arrays[name] is not None for name in arrays.files), path


def holds(arguments: list[str], files: dict[str, bytes]) -> None:
    """A command line, in a folder of its own, ends as every one must."""
    with tempfile.TemporaryDirectory() as place, chdir(place):
        for name, content in files.items():
            Path(name).write_bytes(content)
        code, out, err = called(arguments)
        assert code in (0, 1, 2), (code, err)
        assert "Traceback" not in out + err and FAULT not in err, err
        if code == 1:
            assert any(word in out + err for word in ("disagree", "no longer")), (out, err)
        if "-" not in arguments:  # the document goes to standard output and what is for readers to standard error
            shown = code < 2 or any(word in out for word in ("unsupported", "error", "Usage"))
            assert err == "" if shown else err.startswith("parity: ") and err.find("\n") == len(err) - 1, (out, err)
        new = [path for path in Path().rglob("*") if path.is_file() and str(path) not in files]
        for path in new:
            if "--json" not in arguments or path.parts[0] == "out":  # of which the name, too, was drawn
                whole(path)
        if code == 2 and err:
            assert not [path for path in new if path.parts[0] == "out"], new
        for name, content in files.items():
            if name not in arguments or not {"--json", "--out"} & set(arguments):
                assert Path(name).read_bytes() == content, f"{name} was changed"


LENIENT = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@settings(max_examples=WANTED or 20, suppress_health_check=LENIENT, derandomize=not WANTED)
@given(command_lines())
def test_any_input_ends_in_a_verdict_or_in_one_line(line: tuple[list[str], dict[str, bytes]]) -> None:
    holds(*line)


@pytest.mark.slow
@settings(max_examples=1000, suppress_health_check=LENIENT)
@given(command_lines())
def test_a_thousand_inputs_end_in_a_verdict_or_in_one_line(line: tuple[list[str], dict[str, bytes]]) -> None:
    holds(*line)
