"""``parity.run``: what it runs, what it reports, what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import parity
from parity.backends.base import Setting
from parity.errors import InputError
from parity.experiment import Experiment
from parity.features.run.results import Report, Run
from parity.judge.verdict import Verdict, judge
from refimpl.batches import Batches
from refimpl.datasets import Gaussian
from refimpl.initial_weights import Normal
from refimpl.losses import SquaredError
from refimpl.optimizers import OPTIMIZERS, SGD
from refimpl.trajectory import Trajectory
from tests.parity.backends import Stub

ONE = {"devices": ["cpu"], "dtypes": ["float64"], "formulations": ["loss"]}


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


OF_PAPERS = (
    "lion",
    "lamb",
    "lars",
    "adabelief",
    "adan",
    "schedule_free_sgd",
    "schedule_free_adamw",
    "laprop",
    "adopt",
    "ademamix",
    "madgrad",
    "novograd",
    "sophia",
    "yogi",
    "adabound",
    "diffgrad",
    "adamod",
    "aggmo",
    "sign_sgd",
    "adamp",
    "sgdp",
    "stableadamw",
    "shampoo",
    "prodigy",
    "dadapt_adam",
    "adafactor_paper",
    "soap",
)
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
