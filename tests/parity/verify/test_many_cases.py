"""A run of many cases: it outlives a crash, goes on where it was, and ends with an exit code."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

import pytest
import torch

from parity.errors import InputError
from parity.features.verify.case import SIZES, Result
from parity.features.verify.run_case import run_case
from parity.features.verify.verify import exit_code, run_all, verify
from tests.parity.verify.cases import case

CRASHING = """
import os, signal
from parity.features.verify.case import Case, Result

def run(case: Case) -> Result:
    if case.size == 7:
        os.kill(os.getpid(), signal.SIGSEGV)
    return Result(case=case, verdict="agree", text="")
"""


@pytest.mark.slow
def test_a_crash_is_an_error_of_its_case_with_the_signal_named_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crashing.py").write_text(CRASHING)
    monkeypatch.syspath_prepend(tmp_path)
    import crashing  # type: ignore[import-not-found]

    results = list(run_all([case(size=size) for size in SIZES], 2, crashing.run))
    assert len(results) == len(SIZES)
    (crash,) = [result for result in results if result.verdict != "agree"]
    assert crash.case.size == 7 and crash.verdict == "error"
    assert crash.text == "the process was killed by SIGSEGV"


def nothing(counts: Counter[str], total: int) -> None:
    del counts, total


@pytest.mark.slow
def test_a_run_that_was_interrupted_goes_on_where_it_was(tmp_path: Path) -> None:
    some = [case(size=size, options=options) for size in SIZES[:3] for options in ("defaults", "decay")]
    verify(some, folder=tmp_path, progress=nothing)
    file = tmp_path / "results.jsonl"
    lines = file.read_text().splitlines()
    assert len(lines) == len(some)
    marked = json.loads(lines[0])
    marked["text"] = "from the first run"
    file.write_text("\n".join([json.dumps(marked), *lines[1:3]]) + "\n" + lines[3][:40])  # cut off in a line
    done: list[int] = []
    document = verify(some, folder=tmp_path, resume=True, progress=lambda counts, _: done.append(counts.total()))
    assert done[0] == 3 and done[-1] == len(some)
    assert [one["id"] for one in document["cases"]] == [one.id for one in some]
    assert "from the first run" in {one["text"] for one in document["cases"]}
    assert document["counts"] == {"agree": len(some)}


@pytest.mark.parametrize("bad", [b'{"case": {"optimi', b"\xff\xfe\x00", b"3", b"[]", b'{"a": 1}\n', b"\n\n"])
def test_a_line_that_is_no_result_is_run_again_and_the_file_is_whole(bad: bytes, tmp_path: Path) -> None:
    record = {**dataclasses.asdict(Result(case=case(), verdict="agree", text="")), "torch": torch.__version__}
    file, line = tmp_path / "results.jsonl", json.dumps(record) + "\n"
    file.write_bytes(line.encode() + bad)
    document = verify([case()], folder=tmp_path, resume=True, progress=nothing)
    assert document["counts"] == {"agree": 1}
    assert file.read_text() == line
    assert (tmp_path / "results-earlier.jsonl").read_bytes() == line.encode() + bad


def test_a_folder_in_place_of_the_results_is_said(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        verify([case()], folder=tmp_path, resume=True, progress=nothing)


def test_results_of_another_torch_are_not_gone_on_with(tmp_path: Path) -> None:
    record = {**dataclasses.asdict(Result(case=case(), verdict="agree", text="")), "torch": "1.0"}
    (tmp_path / "results.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(ValueError, match=r"holds results of torch 1\.0"):
        verify([case()], folder=tmp_path, resume=True, progress=nothing)


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        ({"agree": 5, "known": 1, "undecidable": 1, "unsupported": 3}, 0),
        ({"agree": 5, "disagree": 1, "error": 1}, 1),
        ({"agree": 5, "fixed": 1}, 1),
        ({"agree": 5, "error": 1}, 2),
        ({"unsupported": 5}, 2),
        ({}, 2),
    ],
)
def test_exit_codes(counts: dict[str, int], code: int) -> None:
    assert exit_code(counts) == code


def test_the_same_case_has_the_same_numbers_again() -> None:
    assert run_case(case()).used == run_case(case()).used
    assert run_case(case()).used != run_case(case(seed=1)).used
