"""Loops whose ranks take turns: the correct ones agree, and what one does in the place of a reduction is named."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from parity.errors import InputError
from parity.experiment import Experiment
from parity.experiment_file import from_dict, to_toml
from parity.explain.diagnosis import diagnose
from parity.explain.measure.chain import chain_of
from parity.features.check.in_process import trajectory_here
from parity.formulation import realise
from parity.judge.undecidable import neutral
from parity.step.design import REDUCTION, as_asked
from parity.step.engine import Engine
from parity.step.passes import Pass
from parity.step.recording import recording_of
from refimpl.accumulation import Accumulation, Window
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.sums import add_in_any_order
from refimpl.batches import Batches
from refimpl.clipping import Clip
from refimpl.datasets import Gaussian
from refimpl.initial_weights import Normal
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD, Adam
from refimpl.ranks import Ranks

Loop = Callable[..., None]


def experiment(bench: Any, **changes: Any) -> Experiment:
    """17 rows in batches of 5: three of them, and one of 2 rows that is left out."""
    plain = {
        "data": Gaussian(train_rows=17, features=24),
        "batches": Batches(size=5, drop_last=True),
        "loss": SquaredError(factor=1.0, reduction="mean"),
        "penalties": (),
        "optimizer": SGD(lr=0.05, momentum=0.9, weight_decay=0.1),
        "init": {"weight": Normal(std=0.5)},
        "ranks": Ranks(count=3),
    }
    return bench.experiment(**{**plain, **changes})  # type: ignore[no-any-return]


def loop(
    task: Any,
    *,
    times: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3),
    rows: str = "own",
    clip: bool = False,
    decay: float = 0.1,
    penalty: float = 0.0,
    optimizer: Any = None,
    eps: float = 1e-8,
) -> None:
    """Each rank makes the gradient of its own rows; the step is made on their sum, each so many times."""
    net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
    with torch.no_grad():
        net.weight.copy_(task.weight)
        net.bias.copy_(task.bias)
    options: dict[str, Any] = {"momentum": 0.9} if optimizer is None else {"eps": eps}
    steps = (optimizer or torch.optim.SGD)(net.parameters(), lr=task.lr, weight_decay=decay, **options)
    waiting: list[list[torch.Tensor]] = []
    for _ in range(task.epochs):
        for i, (X, y) in enumerate(task.loader):
            for rank in range(task.ranks):
                net.zero_grad()
                if rows == "own":
                    X_own, y_own = task.shard(rank, X, y)
                elif rows == "blocks":
                    X_own, y_own = (torch.tensor_split(each, task.ranks)[rank] for each in (X, y))
                else:
                    X_own, y_own = X, y
                loss = torch.nn.functional.mse_loss(net(X_own), y_own)
                loss = loss + penalty / 2 * sum(p.square().sum() for p in net.parameters()) if penalty else loss
                (loss / task.accumulate).backward()
                waiting.append([parameter.grad.clone() for parameter in net.parameters()])  # type: ignore[union-attr]
            if (i + 1) % task.accumulate == 0:
                for place, parameter in enumerate(net.parameters()):
                    parts = [times[j % task.ranks] * g[place] for j, g in enumerate(waiting)]
                    parameter.grad = torch.stack(parts).sum(0)
                if clip:
                    torch.nn.utils.clip_grad_norm_(net.parameters(), task.max_norm)
                steps.step()
                waiting.clear()
                task.record(net)


CORRECT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mean": ({}, {}),
    "sum": ({"ranks": Ranks(count=3, reduce="sum")}, {"times": (1, 1, 1)}),
    "blocks": ({"ranks": Ranks(count=3, shard="blocks")}, {"rows": "blocks"}),
    "accumulated and clipped": ({"accumulation": Accumulation(micro=3), "clip": Clip(norm=0.5)}, {"clip": True}),
}
THIRD = 1 / 3
FAULTS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "sum": ({}, {"times": (1, 1, 1)}, "ranks-not-averaged"),
    "mean": ({"ranks": Ranks(count=3, reduce="sum")}, {}, "ranks-averaged"),
    "twice": ({}, {"times": (1 / 9, 1 / 9, 1 / 9)}, "ranks-divided-twice"),
    "twice, with Adam": (
        {"optimizer": Adam(lr=0.05, weight_decay=0.1)},
        {"times": (1 / 9, 1 / 9, 1 / 9), "optimizer": torch.optim.Adam},
        "ranks-divided-twice",
    ),
    "rows": ({}, {"rows": "all"}, "ranks-mean-over-rows"),
    "missing": ({}, {"times": (THIRD, 0, THIRD)}, "ranks-one-missing"),
    "missing, others averaged": ({}, {"times": (0.5, 0.5, 0)}, "ranks-one-missing"),
    "own": ({}, {"times": (0, 1, 0)}, "ranks-own-gradient"),
    "counted twice": ({}, {"times": (THIRD, THIRD, 2 * THIRD)}, "ranks-one-twice"),
    "blocks": ({}, {"rows": "blocks"}, "ranks-other-shard"),
    "own, clipped": ({"clip": Clip(norm=0.5)}, {"times": (0, 1, 0), "clip": True}, "ranks-own-gradient"),
    "missing, accumulated": (
        {"accumulation": Accumulation(micro=3)},
        {"times": (THIRD, 0, THIRD)},
        "ranks-one-missing",
    ),
}
SAID = {
    "missing": "the gradient of rank 1 is not counted, and the sum of the others is divided by 3",
    "missing, others averaged": "the gradient of rank 2 is not counted, and the sum of the others is divided by 2",
    "own": "the step is made on the gradient of rank 1 alone: ranks are not synchronised",
    "counted twice": "the gradient of rank 2 is counted twice",
    "blocks": "the rows of a batch are divided over the ranks in contiguous blocks, asked row by row",
}


def checked(asked: Experiment, dtype: str = "float64", **how: Any) -> Any:
    trajectory, observed = trajectory_here(lambda task: loop(task, **how), asked, dtype)
    return diagnose(asked, trajectory, observed=observed)


@pytest.mark.every_case
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize("what", CORRECT)
def test_the_correct_loop_agrees(bench: Any, what: str, dtype: str) -> None:
    asked, how = CORRECT[what]
    diagnosis = checked(experiment(bench, **asked), dtype, **how)
    assert diagnosis.verdict in ("agree", "undecidable") and not diagnosis.findings, diagnosis.text


def test_what_is_measured_of_the_rows_is_as_asked(bench: Any) -> None:
    """Each row counts once: what is asked of δ is divided by the number of ranks, too."""
    asked = experiment(bench)
    trajectory, observed = trajectory_here(loop, asked, "float64")
    chain = chain_of(as_asked(asked), Engine(recording_of(trajectory)[0]), observed)
    assert chain.rows is not None and chain.rows.explained
    for times, bars in zip(*chain.counts, strict=True):
        assert np.all(np.abs(times - 1) <= bars) and np.all(bars < 0.1)


@pytest.mark.every_case
@pytest.mark.parametrize("what", FAULTS)
def test_what_a_loop_does_in_the_place_of_the_reduction_is_named_first(bench: Any, what: str) -> None:
    asked, how, id = FAULTS[what]
    diagnosis = checked(experiment(bench, **asked), **how)
    assert diagnosis.verdict == "disagree" and diagnosis.findings[0].id == id, diagnosis.text
    assert SAID.get(what, "") in diagnosis.findings[0].text


def test_a_penalty_in_the_loss_is_reduced_with_it(bench: Any) -> None:
    """Of a rank that is not counted the penalty is not counted, either, unless it is the optimizer's decay."""
    asked = experiment(bench, optimizer=SGD(lr=0.05, momentum=0.9, weight_decay=0.3))
    for how in ({"decay": 0.3}, {"decay": 0.0, "penalty": 0.3}):
        for times, id in (((THIRD, 0, THIRD), "ranks-one-missing"), ((1, 1, 1), "ranks-not-averaged")):
            findings = checked(asked, times=times, **how).findings
            assert findings[0].id == id, (how, times, findings)


def test_the_loop_of_the_page_agrees(bench: Any) -> None:
    text = (Path(__file__).parents[2] / "docs" / "trainers.md").read_text(encoding="utf-8")
    toml, shown, *_ = re.findall(
        r"^```\w+\n(.*?)^```", text.split("## Ranks")[1].split("\n## ")[0], flags=re.DOTALL | re.MULTILINE
    )
    document = tomllib.loads(to_toml(experiment(bench, ranks=None)) + toml)

    def train(task: Any) -> None:
        net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
        with torch.no_grad():
            net.weight.copy_(task.weight)
            net.bias.copy_(task.bias)
        optimizer = torch.optim.SGD(net.parameters(), lr=task.lr, momentum=0.9, weight_decay=0.1)
        for _ in range(task.epochs):
            exec(shown, {"task": task, "net": net, "optimizer": optimizer, "torch": torch})

    asked = from_dict(document)
    trajectory, observed = trajectory_here(train, asked, "float64")
    assert asked.ranks == Ranks(count=2) and diagnose(asked, trajectory, observed=observed).verdict == "agree"


@pytest.mark.parametrize("wrong", [False, True])
def test_where_rounding_leaves_no_bound_nothing_is_said_of_the_run(bench: Any, wrong: bool) -> None:
    """Fifteen gradients of bfloat16 cancel, and Adam divides by the root of their square."""
    asked = experiment(
        bench, ranks=Ranks(count=5), optimizer=Adam(lr=0.05), accumulation=Accumulation(micro=3), init={}
    )
    how = {"times": (0.2,) * 4 + (0.2 + wrong,), "optimizer": torch.optim.Adam, "decay": 0.0}
    diagnosis = checked(asked, "bfloat16", **how)
    assert diagnosis.verdict == "undecidable" and diagnosis.text.startswith("rounding in bfloat16 may lead anywhere")


def test_what_a_run_cannot_see_of_its_ranks_is_said(bench: Any) -> None:
    """Adam takes the same steps of a mean and of a sum, but for ε; equal shards have one mean."""
    loud = experiment(bench, optimizer=Adam(lr=0.05, eps=1e-12))
    how = {"optimizer": torch.optim.Adam, "decay": 0.0, "eps": 1e-12}
    assert "ranks.reduce" in checked(loud, "float32", **how).unseen
    assert "ranks.reduce" not in checked(experiment(bench)).unseen
    for accumulation in (None, Accumulation(micro=3, last="full")):
        uneven = experiment(bench, accumulation=accumulation, penalties=())
        names = [name for name, *_ in neutral(realise(uneven, "loss"), uneven.draw())]
        summed = replace(uneven, loss=SquaredError(factor=1.0, reduction="sum"))
        assert "ranks.shard" not in [name for name, *_ in neutral(realise(summed, "loss"), summed.draw())]
        even = replace(uneven, batches=Batches(size=6, drop_last=True))
        others = [name for name, *_ in neutral(realise(even, "loss"), even.draw())]
        assert {"ranks.reduce", "ranks.shard"} <= {*names} and "ranks.shard" not in others and "ranks.reduce" in others
        assert ("accumulation.last" in names) == (accumulation is not None and len(uneven.draw().loaded[0]) % 3 > 0)


def test_a_shard_that_is_not_there_is_refused_in_one_line(bench: Any) -> None:
    def function(task: Any) -> None:
        with pytest.raises(InputError, match="given 1 and 1 rows; allowed: a batch of the loader"):
            task.shard(0, task.weight[:, :1], task.bias)
        for X, y in task.loader:
            with pytest.raises(InputError, match=r"shard\(3.*\): allowed: a rank from 0 to 2"):
                task.shard(3, X, y)
        loop(task)

    trajectory_here(function, experiment(bench), "float64")


@pytest.mark.parametrize("rank", [0, 2])
def test_the_loss_of_one_rank_is_a_reading_and_no_fault(bench: Any, rank: int) -> None:
    def function(task: Any) -> None:
        net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
        net.load_state_dict({"weight": task.weight, "bias": task.bias})
        optimizer = torch.optim.SGD(net.parameters(), lr=task.lr, momentum=0.9, weight_decay=0.1)
        for _ in range(task.epochs):
            for X, y in task.loader:
                shards = [task.shard(one, X, y) for one in range(task.ranks)]
                losses = [torch.nn.functional.mse_loss(net(own), target) for own, target in shards]
                optimizer.zero_grad()
                (sum(losses) / task.ranks).backward()
                optimizer.step()
                task.record(net, loss=losses[rank])

    asked = experiment(bench)
    trajectory, observed = trajectory_here(function, asked, "float64")
    diagnosis = diagnose(asked, trajectory, observed=observed)
    assert diagnosis.verdict == "agree" and any(f"of the rows of rank {rank}" in note for note in diagnosis.notes)


def test_gradients_that_are_divided_before_they_are_added_may_all_underflow() -> None:
    """Eight ranks have 3 times the smallest number of float16 each: 3/8 of it is rounded to 0, and so the sum is 0."""
    format = FORMATS["float16"]
    profile = Profile(compute=format, accumulate=format)
    parts = [Bounded.tensor(np.array([6 * format.tiny]), profile) for _ in range(8)]
    window: Any = SimpleNamespace(window=Window((1,) * 8, 1, ranks=8, world=8))
    reduced = Pass._reduced(window, add_in_any_order(parts, 8 + REDUCTION))
    assert sum(format.round(part.value / 8) for part in parts) == 0
    assert abs(float(reduced.value[0])) <= float(reduced.error[0])
