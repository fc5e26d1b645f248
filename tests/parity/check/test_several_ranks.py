"""``parity check --ranks``: real processes, what rank 0 recorded, and where ranks part."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parity
from parity.cli import main
from parity.errors import InputError
from parity.features.check.align import moments_of
from parity.features.check.events import History
from parity.features.check.launch import launch, started_by_torchrun
from parity.features.check.ranks import diagnose_ranks, divided, part
from parity.features.check.run import check
from parity.features.check.task_data import task_data
from parity.features.check.worker import TheirError
from refimpl.schedules import Exponential

ROOT = Path(__file__).parents[3]
RANKS = ROOT / "examples" / "trainers" / "ranks.toml"
DDP = f"{ROOT / 'examples' / 'trainers' / 'ddp.py'}:train"
BY_HAND: Mapping[str, tuple[str, ...]] = {
    "mean by hand": (),
    "sum by hand": ("ranks-not-averaged",),
    "alone": ("ranks-own-gradient", "ranks-part"),
    "same rows by hand": ("ranks-same-rows",),
    "other start": ("ranks-part",),
}
"""What is found first of functions of ``rank_faults.py``."""
WITH_DDP: Mapping[str, tuple[str, ...]] = {
    "correct": (),
    "correct scheduler": (),
    "sum": ("ranks-not-averaged",),
    "unequal": ("rows-ranks-unequal",),
    "same rows": ("ranks-same-rows",),
    "epoch": ("batches-shuffled-once",),
    "scheduler": ("schedule-twice",),
    "other rate": ("ranks-part",),
}
"""The same of those that wrap their model, which imports half of torch once more."""
SAID = {
    "sum": "the gradient is 2 times their mean",
    "sum by hand": "the gradient is 2 times their mean",
    "unequal": "the rows are dealt to 2 ranks, which have 3, 2 of 5",
    "alone": "part at weight[0, 0] in step 0",
    "other rate": "part at lr of weight in step 0",
    "other start": "part at weight[0, 0] before the first step",
}


@pytest.fixture(autouse=True)
def _finds_the_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.mark.parametrize(
    ("dtype", "named"),
    [
        ("float32", BY_HAND),
        *(pytest.param(dtype, BY_HAND, marks=pytest.mark.slow) for dtype in ("float64", "bfloat16")),
        *(pytest.param(dtype, WITH_DDP, marks=pytest.mark.slow) for dtype in ("float64", "float32", "bfloat16")),
    ],
)
@pytest.mark.every_case
def test_correct_ranks_agree_and_each_fault_is_named(dtype: str, named: Mapping[str, tuple[str, ...]]) -> None:
    asked = parity.load(RANKS)
    scheduled = replace(asked, schedule=Exponential(gamma=0.9, per="step"))
    others = {"unequal": replace(asked, ranks=None), "scheduler": scheduled, "correct scheduler": scheduled}
    experiments = {what: others.get(what, asked) for what in named}
    data = {what: task_data(one, 2) for what, one in experiments.items()}
    runs = launch("rank_faults:record_all", data, (dtype,), count=2, limit=600)
    for what, ids in named.items():
        diagnosis = diagnose_ranks(experiments[what], [run[what, dtype] for run in runs])
        assert (diagnosis.verdict == "disagree") == bool(ids), (what, diagnosis.text)
        equal = any("2 ranks hold the same" in note for note in diagnosis.notes)
        assert equal != ("ranks-part" in ids), (what, diagnosis.notes)
        found = tuple(one.id for one in diagnosis.findings)
        assert found[: len(ids)] == ids and SAID.get(what, "") in diagnosis.text, (what, diagnosis.text)


@pytest.mark.slow
@pytest.mark.every_case
@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
@pytest.mark.parametrize(
    ("example", "asked", "ranks"),
    [
        ("ddp", "ranks", 2),
        ("zero", "ranks", 2),
        ("fsdp", "ranks", 2),
        ("hsdp", "ranks4", 4),
        ("tensor_parallel", "all-rows", 2),
    ],
)
def test_the_trainers_of_torch_agree(example: str, asked: str, ranks: int, dtype: str) -> None:
    experiment = RANKS.with_name(f"{asked}.toml")
    diagnosis = check(f"{RANKS.with_name(example)}.py:train", experiment, ranks=ranks, dtype=dtype, limit=600)
    assert diagnosis.verdict == "agree" or (dtype == "bfloat16" and not diagnosis.findings), diagnosis.text
    assert f"{ranks} ranks hold the same" in diagnosis.notes[-1], diagnosis.notes


# -- the processes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "limit", "error", "message"),
    [
        ("dies", 60, InputError, "rank 1: its process ended with exit code 7"),
        ("raises", 60, TheirError, "ValueError: a batch without rows"),
        (
            "hangs",
            10,
            InputError,
            r"no result in 10 s: rank 0 has ended, rank 1 is at rank_ends.py:\d+ in hangs, time.sleep",
        ),
    ],
)
@pytest.mark.every_case
def test_a_rank_that_fails_is_named_and_none_lives_on(
    function: str, limit: float, error: type[Exception], message: str, tmp_path: Path
) -> None:
    """Where two fail, it is the one that did not lose the other."""
    with pytest.raises(error, match=message) as raised:
        launch(f"rank_ends:{function}", str(tmp_path), count=2, limit=limit)
    assert getattr(raised.value, "rank", 1) == 1
    for rank in range(2):
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / str(rank)).read_text()), 0)


def test_each_rank_has_the_environment_of_torchrun(tmp_path: Path) -> None:
    said = launch("rank_ends:says", str(tmp_path), count=3, limit=60)
    assert [rank for rank, _ in said] == [0, 1, 2]
    assert len({environment["MASTER_PORT"] for _, environment in said}) == 1
    for rank, environment in said:
        expected = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "3", "MASTER_ADDR": "127.0.0.1"}
        assert {name: environment[name] for name in expected} == expected


# -- where ranks part --------------------------------------------------------------------------------------------------


def test_ranks_are_compared_bit_for_bit() -> None:
    w, state = np.arange(6.0).reshape(2, 3), np.ones(3)
    steps = [
        {"weight": w},
        {"weight": w + 1, "exp_avg of weight": state},
        {"weight": w + 2, "exp_avg of weight": state},
    ]
    last = {"weight": w + 2, "exp_avg of weight": np.array([1, 1, np.nextafter(1, 2)])}
    assert part([steps, steps, steps]) is None
    parted = part([steps, steps, [*steps[:2], last]])
    assert parted is not None and parted.id == "ranks-part"
    assert "part at exp_avg of weight[2] in step 1" in parted.text
    assert parted.evidence == "exp_avg of weight[2] in step 1: 1 on rank 0, 1 on rank 1, 1.0000000000000002 on rank 2"
    zero = part([[{"weight": 0 * w}], [{"weight": -0.0 * w}]])
    assert zero is not None and "weight[0, 0] before the first step" in zero.text
    divided = [{"weight": w, "exp_avg of weight": np.ones(2)}]
    assert part([[{"weight": w}], divided]) is None and part([[{**steps[1], "weight": w}], divided]) is None
    fewer = part([steps, steps[:2]])
    assert fewer is not None and "unequal numbers of steps: rank 0 2, rank 1 1" in fewer.text


# -- what is asked -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_start", [True, False])
def test_ranks_that_report_are_compared_from_the_start_on_whether_they_report_it_or_not(with_start: bool) -> None:
    start, unseen = {"weight": np.zeros((1, 1, 2))}, History((), (), {})
    reports = [[start] * with_start + [{"weight": np.full((1, 1, 2), value)}] for value in (1.0, 2.0)]
    parted = part([moments_of(unseen, start, each) for each in reports])
    assert parted is not None and "weight[0, 0] in step 0" in parted.text


def test_what_is_divided_over_ranks_is_named() -> None:
    whole, half = {"weight": np.zeros((1, 4)), "state": np.zeros(4)}, {"weight": np.zeros((1, 4)), "state": np.zeros(2)}
    assert divided([[whole], [whole]]) == [] and divided([[half], [whole]]) == ["state"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([DDP, "--experiment", str(RANKS), "--ranks", "1"], "--ranks"),
        ([DDP, "--experiment", str(RANKS), "--ranks", "3"], "--ranks 3: two-ranks asks for 2 ranks; allowed: 2"),
        ([DDP, "--experiment", "check-sgd", "--ranks", "9"], "9 with a batch of 2 rows: a rank without a row"),
        ([DDP, "--ranks", "2"], "to what is it held? give --experiment"),
        ([DDP, "--experiment", str(RANKS), "--ranks", "2", "--hyper", "lr=1"], "--hyper: is for optimizers"),
        (["torch.optim:SGD", "--ranks", "2"], "--ranks: is for training functions; torch.optim:SGD is an optimizer"),
        (
            [str(ROOT / "examples/own/run.csv"), "--experiment", "check-mse", "--ranks", "2"],
            "run.csv is a log",
        ),
    ],
)
@pytest.mark.every_case
def test_what_cannot_be_run_on_ranks_is_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *words]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_in_python_ranks_need_a_name() -> None:
    with pytest.raises(InputError, match="ranks: a function or class runs in this process"):
        check(lambda task: task.record(task.weight), RANKS, ranks=2)
    with pytest.raises(InputError, match=r"ranks 2\.5: allowed: a whole number"):
        check(DDP, RANKS, ranks=2.5)  # type: ignore[arg-type]


def test_under_torchrun_ranks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert started_by_torchrun() == (0, 1)
    for name, value in {"TORCHELASTIC_RUN_ID": "none", "RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert started_by_torchrun() == (1, 2)
    with pytest.raises(InputError, match="ranks starts the ranks itself; leave torchrun out"):
        check(DDP, RANKS, ranks=2)


def test_the_last_line_of_the_error_of_a_rank_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, slow_tier: bool
) -> None:
    """The other one waits for it. What ranks raise is held above: in the fast tier none is started here."""
    last = "AttributeError: 'Task' object has no attribute 'nothing'"

    def raised(*_: Any, **__: Any) -> Any:
        raise TheirError(f"Traceback (most recent call last):\n{last}", rank=1)

    if not slow_tier:
        monkeypatch.setattr("parity.features.check.ranks.launch", raised)
    (tmp_path / "mine.py").write_text(
        "from torch import distributed\n\n\n"
        "def train(task):\n"
        "    distributed.init_process_group('gloo')\n"
        "    distributed.barrier() if not task.rank else task.nothing\n"
    )
    words = [f"{tmp_path / 'mine.py'}:train", "--experiment", str(RANKS), "--ranks", "2", "--limit", "600"]
    assert main(["check", *words]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "Traceback" in said and f"rank 1 raised the exception above: {last}" in said
