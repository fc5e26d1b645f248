"""What goes wrong with a run is bad input, an error or a disagreement, and the other runs go on."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import parity
from parity.backends.base import Setting
from parity.errors import InputError, Unsupported
from refimpl.batches import Batches
from refimpl.optimizers import SGD, ProximalSGD
from refimpl.penalties import L1, L2
from refimpl.trajectory import Trajectory
from tests.parity.backends import Stub

ONE = {"devices": ["cpu"], "dtypes": ["float64"], "formulations": ["loss"]}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dtypes": ["float23"]}, "dtype 'float23': unknown; allowed: float64, .*did you mean 'float32'"),
        ({"formulations": ["lose"]}, "formulation 'lose': unknown; allowed: loss, .*did you mean 'loss'"),
        ({"implementations": ["fuse"]}, "implementation 'fuse': unknown; .*did you mean 'fused'"),
        ({"backend": "tarch"}, "backend 'tarch': unknown; allowed: torch, optax, .*did you mean 'torch'"),
        ({"devices": ["toaster"]}, "device toaster: torch cannot use it"),
        ({"form_factor": 0.5}, "form factor 0.5: allowed: a finite number ≥ 1"),
        ({"form_factor": math.nan}, "form factor nan: allowed"),
    ],
)
def test_bad_words_are_input_errors(options: dict[str, Any], said: str, bench: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        parity.run(bench.experiment(), **{**ONE, **options}, out=tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_two_experiments_of_one_name_are_an_input_error(bench: Any) -> None:
    with pytest.raises(InputError, match="small: given twice; give every experiment a name of its own"):
        parity.run([bench.experiment(), bench.experiment(epochs=2)], **ONE)


def test_data_that_cannot_be_made_are_an_input_error_before_anything_is_written(bench: Any, tmp_path: Path) -> None:
    experiments = [bench.experiment(name="fine"), bench.experiment(name="coarse", batches=Batches(size=99))]
    with pytest.raises(InputError, match=r"coarse: batches\.size: given 99; allowed: at most the 12 training rows"):
        parity.run(experiments, **ONE, out=tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_what_the_reference_does_not_have_is_an_input_error(bench: Any) -> None:
    both = bench.experiment(optimizer=ProximalSGD(lr=0.1), penalties=(L1(strength=1.0), L2(strength=1.0)))
    with pytest.raises(InputError, match="small: two penalties on weight"):
        parity.run(both, **ONE)


def test_a_run_that_breaks_is_an_error_and_the_others_go_on(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parity.features.run.pictures.draw_all", lambda *_: [])

    def make(experiment: Any, setting: Setting) -> Trajectory:
        if setting.dtype == "float32":
            raise RuntimeError("the framework fell over\nand said more")
        if setting.dtype == "float16":
            raise Unsupported("there is no float16 here")
        return bench.torch(experiment, dtype=setting.dtype, formulation=setting.formulation)

    dtypes = ["float64", "float32", "float16", "bfloat16"]
    report = parity.run(bench.experiment(), dtypes=dtypes, formulations=["loss"], backend=Stub(make), out=tmp_path)
    assert [(one.setting.dtype, one.verdict.name) for one in report.runs] == [
        ("float64", "agree"),
        ("float32", "error"),
        ("float16", "unsupported"),
        ("bfloat16", "agree"),
    ]
    assert report.runs[1].verdict.text == "RuntimeError: the framework fell over"
    assert report.runs[2].verdict.text == "there is no float16 here"
    assert report.runs[1].trajectory is None and report.runs[1].used is None and report.runs[1].digits is None
    assert report.exit_code == 2
    assert report.counts == {"agree": 2, "error": 1, "unsupported": 1}


def test_an_error_without_words_is_called_by_its_type(bench: Any) -> None:
    def make(*_: Any) -> Trajectory:
        raise AssertionError

    (one,) = parity.run(bench.experiment(), dtypes=["float64"], formulations=["loss"], backend=Stub(make)).runs
    assert (one.verdict.name, one.verdict.text) == ("error", "AssertionError: ")


def test_a_record_of_something_else_is_an_error(bench: Any) -> None:
    """A step too few is no disagreement of numbers."""

    def make(experiment: Any, _: Setting) -> Trajectory:
        return bench.torch(replace(experiment, epochs=2))

    (one,) = parity.run(bench.experiment(), dtypes=["float64"], formulations=["loss"], backend=Stub(make)).runs
    assert one.verdict.name == "error"


@pytest.mark.slow
def test_a_disagreement_of_another_backend_writes_no_torch_script(bench: Any, tmp_path: Path) -> None:
    """By hand, whole step only, anything: the report is there, the script is for torch alone."""

    def make(experiment: Any, setting: Setting) -> Trajectory:
        wrong = bench.torch(replace(experiment, optimizer=SGD(lr=0.02)), formulation=setting.formulation)
        if setting.formulation == "loss":
            return replace(wrong, gradients={}, state={})
        return replace(wrong, meta={k: v for k, v in wrong.meta.items() if k != "by_hand"})

    report = parity.run(bench.experiment(), dtypes=["float64"], backend=Stub(make), out=tmp_path)
    assert [one.verdict.name for one in report.runs] == ["disagree"] * 3
    assert str(report.runs[0].verdict.first.quantity) == "whole step weight"
    assert report.exit_code == 1
    assert (tmp_path / "report.json").is_file()
    assert [one.repro for one in report.runs] == [None] * 3
