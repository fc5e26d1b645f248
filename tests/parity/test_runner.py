"""``parity.run``: what it runs, what it reports, what it leaves alone."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import parity
from parity.backends.base import Setting
from parity.errors import InputError, Unsupported
from parity.experiment import Experiment
from parity.features.run.results import Report, Run
from parity.features.run.run import ridge_distance, ridge_weight
from parity.formulation import realise
from parity.judge.free_run import free_run
from parity.judge.steps import Checks
from parity.judge.verdict import Verdict, judge
from refimpl.batches import Batches
from refimpl.datasets import Gaussian
from refimpl.initial_weights import Normal
from refimpl.losses import SquaredError
from refimpl.optimizers import OPTIMIZERS, SGD, ProximalSGD
from refimpl.penalties import L1, L2, ElasticNet
from refimpl.trajectory import Trajectory

ONE = {"devices": ["cpu"], "dtypes": ["float64"], "formulations": ["loss"]}


@dataclass
class Stub:
    """A backend whose runs are made by a function."""

    make: Callable[[Any, Setting], Trajectory]
    name: str = "stub"

    def devices(self) -> list[str]:
        return ["here"]

    def check_device(self, device: str) -> None:
        if device != "here":
            raise InputError(f"device {device!r}: available: here")

    def run(self, experiment: Any, setting: Setting) -> Trajectory:
        return self.make(experiment, setting)


# -- what is run -----------------------------------------------------------------------------------------------------


def test_the_reference_and_every_combination_run_in_order(bench: Any) -> None:
    experiments = [bench.experiment(name="first"), bench.experiment(name="second")]
    report = parity.run(
        experiments, devices=["cpu"], dtypes=["float32", "float64"], implementations=["for-loop", "foreach"]
    )
    by_torch = [(f, i) for f in ("loss", "weight_decay") for i in ("for-loop", "foreach")]
    expected = [(d, f, i) for d in ("float32", "float64") for f, i in [*by_torch, ("manual", "for-loop")]]
    found = [(r.setting.dtype, r.setting.formulation, r.setting.implementation) for r in report.runs]
    assert found == expected * 2
    assert [r.experiment.name for r in report.runs] == ["first"] * 10 + ["second"] * 10
    assert [r.experiment for r in report.references] == experiments
    assert report.counts == {"agree": 20} and report.exit_code == 0 and report.folder is None
    assert {r.backend for r in report.runs} == {"torch"}


def test_one_experiment_needs_no_list(bench: Any) -> None:
    report = parity.run(bench.experiment(), **ONE)
    (one,) = report.runs
    assert str(one.setting) == "cpu float64 loss for-loop"
    assert one.verdict.name == "agree" and one.used is not None and one.used == max(one.verdict.used.values())


def test_by_default_every_device_that_the_framework_has_is_used(bench: Any) -> None:
    made: list[str] = []

    def make(experiment: Any, setting: Setting) -> Trajectory:
        made.append(setting.device)
        return bench.torch(experiment)

    parity.run(bench.experiment(), dtypes=["float64"], formulations=["loss"], backend=Stub(make))
    assert made == ["here"]
    assert {one.setting.device for one in parity.run(bench.experiment(), **{**ONE, "devices": []}).runs} >= {"cpu"}


def test_progress_is_told_before_each_run_and_at_the_end(bench: Any) -> None:
    told: list[tuple[int, int, str]] = []
    experiments = [bench.experiment(name="a"), bench.experiment(name="b")]
    parity.run(experiments, **{**ONE, "dtypes": ["float64", "float32"]}, progress=lambda *words: told.append(words))
    assert told == [
        (0, 4, "a cpu float64 loss for-loop"),
        (1, 4, "a cpu float32 loss for-loop"),
        (2, 4, "b cpu float64 loss for-loop"),
        (3, 4, "b cpu float32 loss for-loop"),
        (4, 4, ""),
    ]


def test_torchs_own_settings_are_as_before(bench: Any) -> None:
    before = (
        torch.get_float32_matmul_precision(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_rng_state(),
    )
    parity.run(bench.experiment(), devices=["cpu"], dtypes=["float32"], tf32=True)
    after = (
        torch.get_float32_matmul_precision(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
        torch.get_rng_state(),
    )
    assert before[:3] == after[:3]
    assert torch.equal(before[3], after[3]), "torch's generator decides nothing"


def test_the_same_run_twice_is_the_same_report(bench: Any) -> None:
    settings: Any = {"devices": ["cpu"], "dtypes": ["bfloat16"], "formulations": ["loss"]}
    first, second = (parity.run(bench.experiment(), **settings) for _ in range(2))
    assert [one.verdict.used for one in first.runs] == [one.verdict.used for one in second.runs]
    assert [one.digits for one in first.runs] == [one.digits for one in second.runs]


# -- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dtypes": ["float23"]}, "dtype 'float23': unknown; allowed: float64, .*did you mean 'float32'"),
        ({"formulations": ["lose"]}, "formulation 'lose': unknown; allowed: loss, .*did you mean 'loss'"),
        ({"implementations": ["fuse"]}, "implementation 'fuse': unknown; .*did you mean 'fused'"),
        ({"backend": "tarch"}, "backend 'tarch': unknown; allowed: torch; did you mean 'torch'"),
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


# -- what is reported -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "code"),
    [
        ({"agree": 1}, 0),
        ({"agree": 1, "undecidable": 1, "unsupported": 1}, 0),
        ({"undecidable": 1}, 0),
        ({"unsupported": 1}, 2),
        ({}, 2),
        ({"agree": 1, "error": 1}, 2),
        ({"agree": 1, "disagree": 1}, 1),
        ({"disagree": 1, "error": 1}, 1),
    ],
)
def test_the_exit_code(counts: dict[str, int], code: int) -> None:
    assert Report((), (), {}, None, counts).exit_code == code


def test_the_folder_has_everything(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.features.run.pictures.draw_all", lambda *_: [])
    experiment = bench.experiment(optimizer=SGD(lr=0.01, momentum=0.9))
    report = parity.run(experiment, devices=["cpu"], dtypes=["bfloat16"], out=tmp_path / "a" / "b")
    files = {str(path.relative_to(tmp_path / "a" / "b")) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {
        "report.json",
        "trajectories/small--reference.npz",
        *(f"trajectories/small--cpu-bfloat16-{f}-for-loop.npz" for f in ("loss", "weight_decay", "manual")),
    }
    for one in report.runs:
        path = tmp_path / "a" / "b" / "trajectories" / f"small--cpu-bfloat16-{one.setting.formulation}-for-loop.npz"
        saved = Trajectory.load(path)
        assert one.trajectory is not None
        assert all(np.array_equal(saved.params[name], one.trajectory.params[name]) for name in saved.params)
        assert saved.formats["weight/momentum_buffer"] == "bfloat16"
        assert (
            saved.meta["formulation"] == one.setting.formulation
            and saved.meta["versions"]["torch"] == torch.__version__
        )


def test_the_environment_names_versions_and_machine(bench: Any) -> None:
    environment = parity.run(bench.experiment(), **ONE).environment
    assert environment["torch"] == torch.__version__ and environment["numpy"] == np.__version__
    assert {"parity", "python", "platform", "machine", "form factor"} <= set(environment)


def test_without_a_folder_nothing_is_written(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parity.run(bench.experiment(), **ONE)
    assert list(tmp_path.iterdir()) == []


# -- the distance to ridge --------------------------------------------------------------------------------------------

TALL = {
    "data": Gaussian(train_rows=20, features=5, noise=0.1),
    "batches": Batches(),
    "init": {"weight": Normal(std=1.0)},
}


@pytest.mark.slow
def test_long_full_batch_training_ends_at_the_ridge_solution(bench: Any) -> None:
    experiment = bench.experiment(**TALL, penalties=(L2(strength=0.5),), optimizer=SGD(lr=0.2), epochs=400)
    report = parity.run(experiment, devices=["cpu"], dtypes=["float64", "float32"])
    assert report.references[0].ridge_distance is not None and report.references[0].ridge_distance < 1e-14
    for one in report.runs:
        limit = {"float64": 1e-14, "float32": 1e-5}[one.setting.dtype]
        assert one.ridge_distance is not None and 0 <= one.ridge_distance < limit


@pytest.mark.parametrize("loss", [SquaredError(factor=f, reduction=r) for f in (0.5, 1.0) for r in ("mean", "sum")])  # type: ignore[arg-type]
def test_the_ridge_solution_is_that_of_the_loss(loss: SquaredError, bench: Any) -> None:
    rate = 0.1 if loss.reduction == "mean" else 0.005
    experiment = bench.experiment(**TALL, loss=loss, penalties=(L2(strength=0.5),), optimizer=SGD(lr=rate), epochs=4000)
    assert ridge_distance(bench.numpy(experiment), ridge_weight(experiment, experiment.draw().dataset)) < 1e-13


def test_several_strengths_on_the_weight_add_up(bench: Any) -> None:
    penalties = (L2(strength=0.2), L2(strength=0.3))
    experiment = bench.experiment(**TALL, penalties=penalties, optimizer=SGD(lr=0.1), epochs=800)
    assert ridge_distance(bench.numpy(experiment), ridge_weight(experiment, experiment.draw().dataset)) < 1e-13


def test_short_training_is_far_from_it(bench: Any) -> None:
    experiment = bench.experiment(**TALL, penalties=(L2(strength=0.5),), optimizer=SGD(lr=0.1), epochs=2)
    trajectory = bench.numpy(experiment)
    assert ridge_distance(trajectory, ridge_weight(experiment, experiment.draw().dataset)) > 0.1
    still = replace(experiment, optimizer=SGD(lr=0.0))
    assert ridge_distance(bench.numpy(still), ridge_weight(still, still.draw().dataset)) > ridge_distance(
        trajectory, ridge_weight(experiment, experiment.draw().dataset)
    )


NO_RIDGE: dict[str, dict[str, Any]] = {
    "L1": {"penalties": (L1(strength=0.5),)},
    "elastic net": {"penalties": (ElasticNet(l1=0.5, l2=0.5),)},
    "a penalised bias": {"penalties": (L2(strength=0.5, parameters=("weight", "bias")),)},
    "decay of the optimizer's own": {"optimizer": SGD(lr=0.1, weight_decay=0.1)},
    "ascending": {"optimizer": SGD(lr=0.1, maximize=True)},
    "a minimiser that is not unique": {"penalties": (), "data": Gaussian(train_rows=5, features=20)},
}


@pytest.mark.parametrize("what", NO_RIDGE)
def test_where_there_is_no_ridge_solution_there_is_no_distance(what: str, bench: Any) -> None:
    experiment = bench.experiment(**{**TALL, "penalties": (L2(strength=0.5),), **NO_RIDGE[what]})
    assert ridge_distance(bench.torch(experiment), ridge_weight(experiment, experiment.draw().dataset)) is None


# -- free runs --------------------------------------------------------------------------------------------------------


def test_the_digits_of_agreement_are_those_of_the_dtype(bench: Any) -> None:
    experiment = bench.experiment(optimizer=SGD(lr=0.01, momentum=0.9))
    dtypes = ["float64", "float32", "float16", "bfloat16"]
    report = parity.run(experiment, devices=["cpu"], dtypes=dtypes, formulations=["weight_decay"])
    low = {"float64": 14, "float32": 5.5, "float16": 1.5, "bfloat16": 1}
    for one in report.runs:
        assert one.digits is not None and low[one.setting.dtype] < one.digits < low[one.setting.dtype] + 3


def test_the_digits_are_those_of_the_largest_relative_difference(bench: Any) -> None:
    experiment = bench.experiment()
    trajectory = bench.numpy(experiment)
    checks = Checks(realise(experiment, "weight_decay"), experiment.draw(), trajectory)
    equal = free_run(checks, trajectory)
    assert equal.digits > 15  # the order of sums in a batch of runs is another
    assert equal.band[0] == 0 and (equal.band[1:] > 0).all() and (equal.band < 1e-13).all()
    moved = {name: values.copy() for name, values in trajectory.params.items()}
    for values in moved.values():
        values[4] *= 1 + 1e-5
        values[6] *= 1 - 1e-3
    drifted = free_run(checks, replace(trajectory, params=moved))
    assert drifted.difference[4] == pytest.approx(1e-5, rel=1e-6)
    assert drifted.digits == pytest.approx(3, abs=1e-6)


def test_weights_that_start_at_zero_have_digits(bench: Any) -> None:
    report = parity.run(bench.experiment(init={}), devices=["cpu"], dtypes=["float64"])
    assert all(one.digits is not None and one.digits > 14 for one in report.runs)


def test_correct_runs_stay_within_the_band_of_correct_runs(bench: Any) -> None:
    """Not by necessity, but here, with room."""
    for one in parity.run(bench.experiment(), devices=["cpu"], dtypes=["float64", "float32"]).runs:
        assert one.free_run is not None
        assert (one.free_run.difference <= 10 * one.free_run.band).all()


# -- the module -------------------------------------------------------------------------------------------------------


def test_the_public_names_are_there_and_no_others() -> None:
    assert {name: getattr(parity, name) for name in parity.__all__}
    assert (parity.Report, parity.Run, parity.Verdict) == (Report, Run, Verdict)
    with pytest.raises(AttributeError, match="module 'parity' has no attribute 'nothing'"):
        parity.nothing  # noqa: B018


def test_importing_the_package_loads_nothing() -> None:
    program = "import sys, parity; sys.exit(str({'torch', 'numpy', 'matplotlib', 'typer'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "set()"


def test_load_takes_a_name_or_a_file(tmp_path: Path, bench: Any) -> None:
    from parity.experiment_file import to_toml

    (tmp_path / "mine.toml").write_text(to_toml(bench.experiment()))
    assert parity.load(str(tmp_path / "mine.toml")) == bench.experiment()
    assert parity.load("s1-xor").name == "s1-xor"
    with pytest.raises(InputError, match="s1-xr: no such experiment"):
        parity.load("s1-xr")
    with pytest.raises(InputError, match=r"s1-x\*: stands for 2 experiments \(s1-xor, s1-xor-lam0\)"):
        parity.load("s1-x*")


OF_PAPERS = ("lion", "lamb", "lars", "adabelief", "adan", "schedule_free_sgd", "schedule_free_adamw")
"""Optimizers that ``torch.optim`` does not have."""
ELSEWHERE = {"sgd", "sgdw", "proximal_sgd", "sparse_adam", "muon"}
"""Optimizers that have tests of their own."""


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - ELSEWHERE - set(OF_PAPERS)))
@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_an_experiment_can_have_any_optimizer_and_a_wrong_rate_of_it_is_caught(name: str, dtype: str) -> None:
    kind: Any = OPTIMIZERS[name]
    if name == "rprop":  # whose rate is its first step only
        right, wrong = kind(lr=0.01, etas=(0.5, 1.2)), kind(lr=0.01, etas=(0.5, 1.3))
    else:
        right, wrong = kind(lr=0.01), kind(lr=0.015)
    experiment = Experiment(
        name=name,
        data=Gaussian(train_rows=12, features=33),
        epochs=2,
        loss=SquaredError(factor=1.0, reduction="mean"),
        optimizer=right,
        init={"weight": Normal(std=1.0)},
        batches=Batches(size=5),
    )
    run = partial(parity.run, dtypes=[dtype], formulations=["weight_decay"], implementations=["for-loop"])
    (one,) = run(experiment).runs
    assert one.verdict.name in ("agree", "undecidable"), one.verdict.text
    assert one.trajectory is not None
    assert judge(replace(experiment, optimizer=wrong), one.trajectory).name == "disagree"


@pytest.mark.parametrize("name", OF_PAPERS)
def test_an_optimizer_that_torch_does_not_have_is_unsupported_in_one_line(name: str, bench: Any) -> None:
    kind: Any = OPTIMIZERS[name]
    report = parity.run(bench.experiment(optimizer=kind(lr=0.01), penalties=()), devices=["cpu"], dtypes=["float64"])
    assert [(one.verdict.name, one.verdict.text) for one in report.runs] == [
        ("unsupported", f"module 'torch.optim' has no attribute '{kind.__name__}'"),
        ("unsupported", f"module 'torch.optim' has no attribute '{kind.__name__}'"),
        ("unsupported", f"{kind.__name__} is not written by hand here"),
    ]
    assert np.all(np.isfinite(report.references[0].trajectory.loss))
