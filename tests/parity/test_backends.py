"""Other frameworks as backends: each is held to the experiment, a fault in it is seen, what it has not is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import parity
import parity.backends
from benchmarks.false_alarms_of_frameworks import run_one
from parity.backends import BACKENDS, backend
from parity.backends.base import DTYPES, Setting
from parity.backends.framework_run import decay_form, in_its_words, rates
from parity.cli import main
from parity.errors import InputError, Unsupported
from parity.experiment import Experiment
from parity.formulation import realise
from parity.judge import judge
from refimpl.batches import Batches
from refimpl.optimizers import SGD, Adam, AdamW, RMSprop
from refimpl.schedules import OneCycle

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "benchmarks" / "frameworks").glob("*.py"))
MODULES = {"optax": "optax", "keras": "keras", "mlx": "mlx", "sklearn": "sklearn"}
SCRIPT_MODULES = {**MODULES, "jax": "jax"}
SGD_RUNS = ("check-sgd", "check-momentum", "check-nesterov", "check-l1", "s0-scratch-lam3", "probe-exact")
ADAM_RUNS = ("check-adam", "check-adamw", "check-adamw-schedule")
RUNS = {
    "optax": (*SGD_RUNS, *ADAM_RUNS, "check-rmsprop", "check-adadelta"),
    "keras": ("check-momentum", "check-l1", "check-sgd", "check-adadelta", "s0-scratch-lam3"),
    "mlx": (*SGD_RUNS, *ADAM_RUNS, "check-adadelta"),
    "sklearn": ("check-sgd",),
}
RIGHT = {"optax": DTYPES, "keras": DTYPES[1:], "mlx": DTYPES, "sklearn": DTYPES[:2]}
"""Keras has the accuracy of float32 in float64, and so has Adam of MLX: benchmarks/frameworks."""
CASES = [(name, run, dtype) for name, runs in RUNS.items() for run in runs for dtype in RIGHT[name]]
CASES = [case for case in CASES if not (case[0] == "mlx" and case[1] in ADAM_RUNS and case[2] == "float64")]


@contextmanager
def installed(name: str) -> Iterator[None]:
    """Skip where the framework is missing."""
    if find_spec(SCRIPT_MODULES[name]) is None:
        pytest.skip(f"{name} is not installed: extra frameworks")
    yield


def asked(name: str, run: str) -> Experiment:
    """An experiment of the gallery, as far as scikit-learn may have it, row by row."""
    experiment = parity.load(run)
    return replace(experiment, batches=Batches(size=1), epochs=2) if name == "sklearn" else experiment


@pytest.mark.slow
@pytest.mark.parametrize(("name", "run", "dtype"), CASES)
def test_a_framework_is_held_to_the_experiment_in_each_of_its_dtypes(name: str, run: str, dtype: str) -> None:
    experiment = asked(name, run)
    with installed(name):
        verdict = judge(experiment, backend(name).run(experiment, Setting(dtype=dtype)))
    assert verdict.name in (("agree",) if dtype in ("float64", "float32") else ("agree", "undecidable")), verdict.text


@pytest.mark.slow
@pytest.mark.parametrize("run", ["check-momentum", "check-adamw", "check-adam"])
def test_what_xla_compiled_is_held_to_the_experiment_too(run: str) -> None:
    experiment = parity.load(run)
    with installed("optax"):
        verdict = judge(experiment, backend("optax").run(experiment, Setting(dtype="float32", implementation="fused")))
    assert verdict.name == "agree", verdict.text


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("part", ["lr", "penalty"])
def test_a_wrong_number_in_a_framework_is_seen(name: str, part: str) -> None:
    experiment = asked(name, "check-sgd")
    optimizer: Any = experiment.optimizer
    (ridge,) = experiment.penalties
    wrong = {
        "lr": {"optimizer": replace(optimizer, lr=optimizer.lr * 1.0001)},
        "penalty": {"penalties": (replace(ridge, strength=0.3003),)},  # type: ignore[call-arg]  # an L2
    }[part]
    with installed(name):
        trajectory = backend(name).run(replace(experiment, **wrong), Setting(dtype="float32"))
    assert judge(experiment, trajectory).name == "disagree"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "run", "words"),
    [
        ("optax", "check-adagrad", "adds ε inside of the root"),
        ("optax", "check-dampening", "no dampening"),
        ("optax", "check-amsgrad", "maximum of the corrected v"),
        ("mlx", "check-dampening", "dampens the first step"),
        ("mlx", "check-amsgrad", "no amsgrad"),
        ("mlx", "check-adagrad", "no lr_decay"),
        ("keras", "check-adam", "adds ε before v is corrected"),
        ("sklearn", "check-sgd", "one row at a time"),
        ("sklearn", "check-l1", "one L2 on the weight"),
    ],
)
def test_what_a_framework_has_by_another_rule_is_unsupported(name: str, run: str, words: str) -> None:
    with installed(name), pytest.raises(Unsupported, match=words):
        backend(name).run(parity.load(run), Setting(dtype="float32"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "run", "keys"),
    [
        ("optax", "check-momentum", {"momentum_buffer"}),
        ("optax", "check-adamw", {"step", "exp_avg", "exp_avg_sq"}),
        ("mlx", "check-momentum", {"momentum_buffer"}),
        ("mlx", "check-adamw", {"step", "exp_avg", "exp_avg_sq"}),
        ("keras", "check-momentum", None),
    ],
)
def test_the_state_has_torchs_names_or_is_not_compared(name: str, run: str, keys: set[str] | None) -> None:
    with installed(name):
        state = backend(name).run(parity.load(run), Setting(dtype="float32")).state
    assert {name: set(parts) for name, parts in state.items()} == (
        dict.fromkeys(("weight", "bias"), keys) if keys else {}
    )


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [Adam(lr=0.01, eps=0.0), AdamW(lr=0.01, eps=0.0), RMSprop(lr=0.01, eps=0.0)])
def test_keras_has_torchs_rule_where_epsilon_is_0(optimizer: Any) -> None:
    experiment = replace(parity.load("check-adam"), optimizer=optimizer)
    with installed("keras"):
        verdict = judge(experiment, backend("keras").run(experiment, Setting(dtype="float32")))
        assert verdict.name == "agree", verdict.text
        with pytest.raises(Unsupported, match="underflow in float16"):
            backend("keras").run(experiment, Setting(dtype="float16"))


@pytest.mark.slow
def test_keras_runs_on_jax_where_the_environment_says_so() -> None:
    with installed("keras"):
        words = [
            "run",
            "check-momentum",
            "--backend",
            "keras",
            "--dtype",
            "float32",
            "--formulation",
            "loss",
            "--json",
            "-",
        ]
        environment = {**os.environ, "KERAS_BACKEND": "jax"}
        command = [sys.executable, "-m", "parity", *words]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    assert '"jax"' in ran.stdout and '"torch"' not in ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_what_a_framework_has_wrong_is_still_so(script: Path) -> None:
    with installed(script.stem.partition("_")[0]):
        ran = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_random_experiments_raise_no_alarm(name: str) -> None:
    with installed(name):
        judged = [result[0] for number in range(40) if (result := run_one(name, 0, number))]
    assert judged
    assert [verdict.text for verdict in judged if verdict.name == "disagree"] == []


@pytest.mark.parametrize("name", sorted(BACKENDS.keys() - {"torch"}))
def test_a_plain_install_says_in_one_line_which_extra_is_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(module: str) -> Any:
        raise ModuleNotFoundError(f"No module named 'jax', for {module}", name="jax")

    monkeypatch.setattr(parity.backends, "import_module", absent)
    with pytest.raises(
        InputError, match=r"^backend .*: its framework cannot be used here: No module .*; pip install"
    ) as e:
        backend(name)
    assert str(e.value).endswith("'step-parity[frameworks]'") and "\n" not in str(e.value)


def test_a_schedule_that_moves_more_than_the_rate_is_refused() -> None:
    experiment = replace(parity.load("check-momentum"), schedule=OneCycle(max_lr=0.1, total_steps=20, per="step"))
    with pytest.raises(Unsupported, match="OneCycle moves more than the learning rate"):
        rates(experiment, realise(experiment, "loss"), experiment.draw())


def test_another_form_of_decay_needs_more_the_nearer_it_is_to_the_whole_weight() -> None:
    assert decay_form(SGD(lr=0.1), [0.1], 3) == 2
    assert decay_form(AdamW(weight_decay=0.1), [0.1], 3) == 2
    assert decay_form(AdamW(weight_decay=5.0), [0.01, 0.1], 3) == 1 + 3 * 0.5 / 0.5


COMMANDS = re.findall(r"^parity (.*)$", (ROOT / "docs" / "backends.md").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_runs(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = command.split()
    monkeypatch.chdir(tmp_path)
    with installed(words[words.index("--backend") + 1]):
        assert main(words) == 0


def test_the_page_names_every_backend_and_every_script() -> None:
    page = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
    assert {name for name in BACKENDS if f"| `{name}` |" in page} == set(BACKENDS)
    assert len(COMMANDS) == 3 and [script.name for script in SCRIPTS if f"`{script.name}`" not in page] == []


def test_what_our_own_code_raises_is_no_refusal_of_a_framework() -> None:
    with pytest.raises(InputError), in_its_words((Exception,)):
        backend("no such framework")  # raised in this project's code
    with pytest.raises(Unsupported, match="JSONDecodeError"), in_its_words((Exception,)):
        json.loads("{")  # raised in other code
