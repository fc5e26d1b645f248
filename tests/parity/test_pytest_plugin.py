"""The plugin passes what is right, fails with the reason of what is not, and costs a start of pytest nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import indent
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import parity
from parity.errors import InputError
from parity.features.check.task import Task
from parity.gallery import FOLDER
from parity.pytest_plugin import ParityFailure, Undecidable, assert_optimizer, assert_parity, parity_trajectory
from refimpl.penalties import L2

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FAULT = "    optimizer = SGD(net.parameters(), lr=task.lr, weight_decay=task.l2)\n"
HEAVY = ("torch", "numpy", "scipy", "rich", "refimpl.types", "parity.experiment")


def block(language: str) -> str:
    """The first block of that language on the page of the examples."""
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    return page.split(f"```{language}\n")[1].split("```")[0]


def tutorial(optimizer: str = FAULT) -> Callable[[Any], Any]:
    """The training function of the example, with other lines for its optimizer."""
    source = (EXAMPLES / "train_tutorial.py").read_text(encoding="utf-8")
    assert source.count(FAULT) == 1
    source = source.replace(FAULT, optimizer)
    names: dict[str, Any] = {}
    exec(source, names)
    function: Callable[[Any], Any] = names["train"]
    return function


def remedied(change: tuple[str, str] = ("", "")) -> Callable[[Any], Any]:
    """As the page of the examples says; ``change``: a text of it, and another in its place."""
    return tutorial(indent(block("python").replace(*change), "    "))


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """pytest with these plugins and no others, whether the package's entry point is installed or not."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "parity.pytest_plugin", *arguments],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


@pytest.mark.slow
def test_the_examples_fail_where_they_are_wrong_and_say_why() -> None:
    """As a user runs them; in a worker of xdist, with warnings as errors."""
    ended = run("-p", "xdist.plugin", "-n", "1", folder=EXAMPLES)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "2 failed, 2 passed" in ended.stdout, ended.stdout
    training, optimizer = ended.stdout.split("_ test_my_faulty_optimizer_is_adamw _")
    for said in (
        "train against check-mse\ndisagree: the bias is decayed like the weight",
        "rows: each row counts as asked",
        "bias: gets 0.0900",
        "1. penalty-on-bias-too",
        "evidence: correct code is off by",
        "change:   give the bias a parameter group with weight_decay=0",
    ):
        assert said in training
    for said in (
        "MyFaultyAdamW against AdamW(lr=0.01, weight_decay=0.1)\ndisagree: the decay is coupled, λw in the gradient",
        "1. coupled-for-decoupled",
        "evidence: as asked, weight[",
    ):
        assert said in optimizer
    assert "def test_" not in ended.stdout and "\nE " not in ended.stdout, "the text alone, without a traceback"


def test_the_change_that_the_failure_names_makes_the_example_pass() -> None:
    with pytest.raises(AssertionError, match="give the bias a parameter group with weight_decay=0") as failure:
        assert_parity(tutorial(), "check-mse")
    assert str(failure.value).startswith(block("text").split("...")[0]), "as the page of the examples shows it"
    assert_parity(remedied(), "check-mse")


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_right_training_passes_and_wrong_training_fails_in_every_dtype(dtype: str) -> None:
    assert_parity(remedied(), "check-mse", dtype=dtype)
    with pytest.raises(ParityFailure, match=r"(?s)^train against check-mse\ndisagree: .*twice"):
        assert_parity(remedied(("lr=task.lr", "lr=2 * task.lr")), "check-mse", dtype=dtype)


@pytest.mark.parametrize("kind", ["name", "file", "path", "object"])
def test_an_experiment_is_a_name_a_file_or_an_object(kind: str) -> None:
    path = FOLDER / "check-mse.toml"
    given = {"name": "check-mse", "file": str(path), "path": path, "object": parity.load("check-mse")}[kind]
    with pytest.raises(ParityFailure, match=r"^train against check-mse\n"):
        assert_parity(tutorial(), given)


def test_a_trajectory_is_what_the_function_recorded_bit_for_bit() -> None:
    seen: list[list[Any]] = []

    def train(task: Task) -> Iterator[nn.Module]:
        net = nn.Linear(task.features, 1, dtype=task.dtype)
        for k in range(task.epochs * len(task.loader)):
            nn.init.constant_(net.weight, 1 / (k + 3))
            seen.append([net.weight.detach().double().numpy().copy(), net.bias.item()])
            yield net

    trajectory = parity_trajectory(train, "check-sgd", dtype="float32")
    start = parity.load("check-sgd").draw().params["weight"][0].astype(np.float32)
    assert np.array_equal(trajectory.params["weight"][0, 0], start)
    assert np.array_equal(trajectory.params["weight"][1:, 0], [weight for weight, _ in seen])
    assert np.array_equal(trajectory.params["bias"][1:, 0, 0], [bias for _, bias in seen])
    assert trajectory.loss.shape == (20, 1) and np.isnan(trajectory.loss).all()


def test_what_cannot_be_seen_is_a_warning_and_strictly_a_failure() -> None:
    """λ = 1e-12 moves no float32 weight; the same in float64 is seen."""
    tiny = replace(parity.load("check-mse"), name="tiny", penalties=(L2(strength=1e-12),))
    train = remedied()
    with pytest.warns(
        Undecidable, match=r"^train against tiny: agrees, except that .* cannot be seen in this run$"
    ) as w:
        assert_parity(train, tiny, dtype="float32")
    assert w[0].filename == __file__
    with pytest.raises(ParityFailure, match="undecidable: agrees, except that"):
        assert_parity(train, tiny, dtype="float32", strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_parity(train, tiny, dtype="float64", strict=True)


def test_what_a_training_function_raises_is_raised() -> None:
    def train(task: Task) -> None:
        raise ZeroDivisionError(f"with {task.features} features")

    with pytest.raises(ZeroDivisionError, match="with 30 features"):
        assert_parity(train, "check-sgd")


def test_a_training_function_that_reports_nothing_is_told_how_to() -> None:
    with pytest.raises(InputError, match=r"0 reports; call task\.record"):
        assert_parity(lambda _: None, "check-sgd")


@pytest.mark.parametrize("dtype", ["float23", torch.float32], ids=str)
def test_a_dtype_that_does_not_exist_is_refused_by_name(dtype: Any) -> None:
    said = r"^dtype=.*float.*: must be one of 'float64', 'float32', 'bfloat16', 'float16'$"
    with pytest.raises(InputError, match=said):
        assert_parity(tutorial(), "check-mse", dtype=dtype)
    with pytest.raises(InputError, match=said):
        assert_optimizer(torch.optim.SGD, against="sgd", dtypes=("float64", dtype), lr=0.1)


def test_an_optimizer_passes_against_its_own_reference_and_fails_against_another() -> None:
    assert_optimizer(torch.optim.SGD, against="sgd", lr=0.1, momentum=0.9)
    with pytest.raises(AssertionError, match=r"(?s)^SGD against RMSprop.*\ndisagree: the step is not divided by √v"):
        assert_optimizer(torch.optim.SGD, "rmsprop", dtypes=("float64",), lr=0.1, momentum=0.9)


def test_an_optimizer_that_cannot_be_judged_fails_with_its_own_words() -> None:
    with pytest.raises(
        ParityFailure, match=r"(?s)^SparseAdam against sparse_adam\nunsupported: .*does not\s+support dense gradients"
    ):
        assert_optimizer(torch.optim.SparseAdam, against="sparse_adam", lr=0.1)


def test_the_check_of_an_optimizer_leaves_the_generator_of_torch_where_it_was() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        before = torch.get_rng_state()
        assert_optimizer(torch.optim.SGD, against="sgd", dtypes=("float64",), lr=0.1)
        assert torch.equal(before, torch.get_rng_state())


def test_the_start_of_pytest_and_the_fixtures_import_nothing(tmp_path: Path) -> None:
    code = (
        "import sys\n\n"
        "from parity import pytest_plugin\n\n"
        "def test_light(assert_parity, assert_optimizer, parity_trajectory):\n"
        "    for fixture in (assert_parity, assert_optimizer, parity_trajectory):\n"
        "        assert fixture is getattr(pytest_plugin, fixture.__name__)\n"
        f"    assert not set({HEAVY!r}) & set(sys.modules)\n"
    )
    (tmp_path / "test_light.py").write_text(code, encoding="utf-8")
    ended = run("-W", "error", folder=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
