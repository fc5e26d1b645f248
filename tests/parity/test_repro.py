"""A reproduction script needs torch and NumPy only, and its exit code says whether torch does it again."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from parity.backends.base import Setting
from parity.backends.torch_autograd import flags_of
from parity.backends.torch_manual import UPDATES, TensorState
from parity.experiment import Experiment
from parity.features.run.repro import write_repro
from parity.features.run.results import Run
from parity.judge.verdict import judge
from refimpl.batches import Batches
from refimpl.datasets import Gaussian
from refimpl.initial_weights import Normal
from refimpl.losses import SquaredError
from refimpl.models import Linear
from refimpl.optimizers import SGD, SGDW, ProximalSGD
from refimpl.penalties import L1, L2, ElasticNet
from refimpl.schedules import Exponential, Step
from refimpl.training import Group
from refimpl.trajectory import SideEffect, Trajectory

DTYPES = ("float64", "float32", "bfloat16", "float16")
MOMENTUM = {"optimizer": SGD(lr=0.01, momentum=0.9)}

# Runs every script named on the command line with the package and its dependencies out of reach.
RUNNER = """
import contextlib, io, json, runpy, sys
import torch
torch.set_num_threads(1)
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("parity", "refimpl", "scipy", "matplotlib", "msgspec", "typer", "rich", "tomli_w"):
            raise ImportError(f"{name} is out of reach")
sys.meta_path.insert(0, Blocked())
for path in sys.argv[1:]:
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            runpy.run_path(path, run_name="__main__")
        code = "no exit code"
    except SystemExit as leaving:
        code = leaving.code
    except BaseException as error:
        code = f"{type(error).__name__}: {error}"
    print(json.dumps([path, code, out.getvalue()]))
"""


@dataclass(frozen=True)
class Scripts:
    """Writes scripts into a folder and runs them all at once."""

    folder: Path

    def write(self, name: str, experiment: Experiment, setting: dict[str, Any], trajectory: Trajectory) -> str:
        """The quantity that the script is about."""
        verdict = judge(experiment, trajectory)
        assert verdict.name == "disagree", (name, verdict.text)
        one = Run(experiment, "torch", Setting(**{"dtype": "float64", **setting}), verdict, trajectory)
        path = write_repro(one, self.folder / f"{name}.py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert imported <= {"sys", "math", "numpy", "torch"}
        assert verdict.first is not None
        return str(verdict.first.quantity)

    def run(self) -> dict[str, tuple[Any, str]]:
        """Exit code and output of each, from a working directory of its own."""
        (self.folder / "elsewhere").mkdir()
        paths = sorted(str(path) for path in self.folder.glob("*.py"))
        done = subprocess.run(
            [sys.executable, "-I", "-c", RUNNER, *paths],
            cwd=self.folder / "elsewhere",
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert (done.returncode, done.stderr) == (0, "")
        results = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(results) == len(paths)
        return {Path(path).stem: (code, out) for path, code, out in results}


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    return Scripts(tmp_path)


# What is moved in the recording, and by how much where the share of the bound that is left is small.
RECORDED: dict[str, tuple[str, tuple[int, ...]]] = {
    "update weight": ("params/weight", (7, 0, 0, 5)),
    "update bias": ("params/bias", (7, 0, 0)),
    "state weight.momentum_buffer": ("state/weight.momentum_buffer", (6, 0, 0, 5)),
    "state bias.momentum_buffer": ("state/bias.momentum_buffer", (0, 0, 0)),
    "loss": ("loss", (6, 0)),
    "gradient weight": ("gradients/weight", (6, 0, 0, 5)),
    "gradient bias": ("gradients/bias", (6, 0, 0)),
    "norm": ("norm", (7, 0)),
    "train loss": ("train_loss", (2, 0)),
    "validation loss": ("validation_loss", (2, 0)),
    "initial weight": ("params/weight", (0, 0, 0, 5)),
    "initial bias": ("params/bias", (0, 0, 0)),
    "data X": ("inputs/X", (0, 3, 4)),
    "data y": ("inputs/y", (0, 3, 0)),
    "data X_validation": ("inputs/X_validation", (0, 3, 4)),
}


@pytest.mark.slow
def test_a_fault_of_the_recording_is_not_reproduced(scripts: Scripts, bench: Any, bump: Callable[..., Any]) -> None:
    """Torch computes the right value when the script asks it to: each kind of quantity, formulation and dtype."""
    experiment = bench.experiment(**MOMENTUM)
    for dtype, ulps in {"float64": 2**14, "float32": 2**14, "bfloat16": 2**7, "float16": 2**9}.items():
        for formulation in ("loss", "weight_decay", "manual") if dtype == "float32" else ("loss",):
            setting = {"dtype": dtype, "formulation": formulation}
            trajectory = bench.torch(experiment, **setting)
            moved = {what: bump(trajectory, where, index, ulps) for what, (where, index) in RECORDED.items()}
            for tensor, values in {
                "gradients/weight": trajectory.gradients["weight"][4, 0],
                "inputs/X": trajectory.inputs["X"][0],
            }.items():
                at = (0,) * values.ndim
                effect = SideEffect(4, tensor, at, float(values[at]), 7.0)
                moved[f"untouched {tensor}"] = replace(trajectory, side_effects=(effect,))
            for what, changed in moved.items():
                name = f"{dtype} {formulation} {what}".replace("/", " ")
                assert scripts.write(name, experiment, setting, changed) == what
    nan = trajectory.params["weight"].copy()
    nan[5, 0, 0, 3] = np.nan
    scripts.write("nan", experiment, setting, replace(trajectory, params={**trajectory.params, "weight": nan}))
    results = scripts.run()
    assert len(results) == 6 * 17 + 1
    assert {name: result for name, result in results.items() if result[0] != 0} == {}
    assert all("within the allowance: not reproduced here" in out for _, out in results.values())


@pytest.mark.slow
def test_a_gradient_off_the_span_is_not_reproduced(scripts: Scripts, bench: Any) -> None:
    """λ within the loss a little off: below the bound of the whole gradient, so that the projection is what sees it."""
    settings = [("float64", 5e-15), ("float32", 5e-6)]
    for penalties in ((L2(strength=3.0),), (ElasticNet(l1=0.25, l2=3.0),), (L2(strength=3.0), L1(strength=0.25))):
        data = Gaussian(train_rows=20, features=200)
        for dtype, relative in settings:
            experiment = bench.experiment(data=data, penalties=penalties)
            wrong = tuple(
                replace(p, l2=3.0 * (1 + 3 * relative))
                if isinstance(p, ElasticNet)
                else replace(p, strength=p.strength * (1 + 3 * relative))
                for p in penalties
            )
            trajectory = bench.torch(bench.experiment(data=data, penalties=wrong), dtype=dtype, formulation="loss")
            name = f"{dtype} {' '.join(type(p).__name__ for p in penalties)}"
            setting = {"dtype": dtype, "formulation": "loss"}
            assert scripts.write(name, experiment, setting, trajectory) in ("gradient off span", "gradient weight")
    results = scripts.run()
    assert len(results) == 6
    assert {name: result for name, result in results.items() if result[0] != 0} == {}


# Experiments whose steps a script must take with the right options.
KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "a step schedule": ({"schedule": Step(step_size=2, gamma=0.5)}, "weight_decay"),
    "a schedule by steps": ({"schedule": Exponential(gamma=0.8, per="step"), **MOMENTUM}, "loss"),
    "a group": ({"groups": (Group(parameters=("bias",), optimizer=SGD(lr=0.3, momentum=0.5)),)}, "weight_decay"),
    "Nesterov": ({"optimizer": SGD(lr=0.01, momentum=0.9, nesterov=True)}, "weight_decay"),
    "Nesterov by hand": ({"optimizer": SGD(lr=0.01, momentum=0.9, nesterov=True)}, "manual"),
    "dampening": ({"optimizer": SGD(lr=0.01, momentum=0.9, dampening=0.3)}, "manual"),
    "maximize": ({"optimizer": SGD(lr=0.01, momentum=0.5, maximize=True)}, "loss"),
    "SGDW": ({"optimizer": SGDW(lr=0.01, momentum=0.9, weight_decay=1.0), "penalties": ()}, "manual"),
    "proximal": ({"optimizer": ProximalSGD(lr=0.01), "penalties": (ElasticNet(l1=0.05, l2=5.0),)}, "manual"),
    "no bias": ({"model": Linear(bias=False), "init": {"weight": Normal(std=0.01)}}, "loss"),
    "a sum": ({"loss": SquaredError(factor=1.0, reduction="sum"), "optimizer": SGD(lr=0.001)}, "loss"),
    "a sum without autograd's form": (
        {"loss": SquaredError(factor=1.0, reduction="sum"), "optimizer": SGD(lr=0.001)},
        "weight_decay",
    ),
    "a third": ({"loss": SquaredError(factor=0.3, reduction="mean")}, "weight_decay"),
    "elastic net": ({"penalties": (ElasticNet(l1=0.5, l2=2.0),)}, "loss"),
    "two penalties": ({"penalties": (L2(strength=3.0, parameters=("weight", "bias")), L1(strength=0.5))}, "loss"),
    "one row": ({"batches": Batches(size=1)}, "loss"),
}


@pytest.mark.slow
def test_a_script_takes_the_step_of_its_experiment(scripts: Scripts, bench: Any, bump: Callable[..., Any]) -> None:
    for what, (parts, formulation) in KINDS.items():
        experiment = bench.experiment(**parts)
        for dtype, ulps in {"float64": 2**16, "float32": 2**16, "bfloat16": 2**6, "float16": 2**9}.items():
            setting = {"dtype": dtype, "formulation": formulation}
            trajectory = bench.torch(experiment, **setting)
            for quantity in ("update weight", "gradient weight", "validation loss"):
                where, index = RECORDED[quantity]
                moved = bump(trajectory, where, index, ulps)
                assert scripts.write(f"{what} {dtype} {quantity}", experiment, setting, moved) in (
                    quantity,
                    "objective",
                    "train loss",
                )
    results = scripts.run()
    assert len(results) == len(KINDS) * 12
    assert {name: result for name, result in results.items() if result[0] != 0} == {}


# -- real faults -----------------------------------------------------------------------------------------------------


def sgd_without_dampening_factor(
    w: Tensor, g: Tensor, state: TensorState, *, lr: float, momentum: float, weight_decay: float, **_: float
) -> TensorState:
    """A faulty update: the buffer takes (1 − μ)g."""
    g = g + weight_decay * w
    buffer = momentum * state["momentum_buffer"] + (1 - momentum) * g if state else g.clone()
    w -= lr * buffer
    return {"momentum_buffer": buffer}


def sgd_that_forgets_the_last(
    w: Tensor, g: Tensor, state: TensorState, *, lr: float, weight_decay: float, **_: float
) -> TensorState:
    """A faulty update: the last element stays."""
    kept = w[..., -1].clone()
    w -= lr * (g + weight_decay * w)
    w[..., -1] = kept
    return state


def sgd_that_touches_the_gradient(
    w: Tensor, g: Tensor, state: TensorState, *, lr: float, weight_decay: float, **_: float
) -> TensorState:
    """A faulty update: the decay is added to the gradient itself."""
    g += weight_decay * w
    w -= lr * g
    return state


@pytest.mark.slow
def test_a_faulty_update_by_hand_is_reproduced(scripts: Scripts, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    faults: list[tuple[Any, dict[str, Any], str]] = [
        (sgd_without_dampening_factor, MOMENTUM, "state weight.momentum_buffer"),
        (sgd_that_forgets_the_last, {}, "update weight"),
        (sgd_that_touches_the_gradient, {}, "untouched gradients/weight"),
    ]
    for fault, parts, quantity in faults:
        monkeypatch.setitem(UPDATES, "SGD", fault)
        experiment = bench.experiment(**parts)
        for dtype in DTYPES:
            setting = {"dtype": dtype, "formulation": "manual"}
            name = f"{dtype} {quantity.replace('/', ' ')}"
            assert scripts.write(name, experiment, setting, bench.torch(experiment, **setting)) == quantity
    results = scripts.run()
    assert {name: code for name, (code, _) in results.items()} == dict.fromkeys(results, 1)
    assert all("outside the allowance: reproduced" in out for _, out in results.values())


@pytest.mark.every_case
@pytest.mark.parametrize("name", ["SGD", "NAdam", "Rprop"])
def test_the_flags_of_a_for_loop_are_those_that_the_class_has(name: str) -> None:
    kind = getattr(torch.optim, name)
    optimizer = kind([torch.ones(1, requires_grad=True)], **flags_of(kind, "for-loop"))
    assert not optimizer.defaults.get("fused") and optimizer.defaults["foreach"] is False


@pytest.mark.slow
def test_the_fault_of_torchs_fused_kernel_is_reproduced(tmp_path: Path, bench: Any) -> None:
    """As one would run it: ``python -I script.py`` from somewhere else."""
    experiment = bench.experiment(data=Gaussian(train_rows=12, features=200), **MOMENTUM)
    setting = {"dtype": "bfloat16", "formulation": "weight_decay", "implementation": "fused"}
    trajectory = bench.torch(experiment, **setting)
    if judge(experiment, trajectory).name != "disagree":
        pytest.skip("this torch updates every element (pytorch issue 191763 is mended)")
    writer = Scripts(tmp_path)
    assert writer.write("script", experiment, setting, trajectory) == "update weight"
    (tmp_path / "elsewhere").mkdir()
    done = subprocess.run(
        [sys.executable, "-I", tmp_path / "script.py"],
        cwd=tmp_path / "elsewhere",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "outside the allowance: reproduced" in done.stdout
    assert f"torch {torch.__version__} on cpu" in done.stdout


@pytest.mark.slow
def test_the_side_effect_of_torchs_foreach_nesterov_is_reproduced(scripts: Scripts, bench: Any) -> None:
    experiment = bench.experiment(optimizer=SGD(lr=0.01, momentum=0.9, nesterov=True))
    setting = {"dtype": "float32", "formulation": "loss", "implementation": "foreach"}
    trajectory = bench.torch(experiment, **setting)
    if judge(experiment, trajectory).name != "disagree":
        pytest.skip("this torch leaves gradients alone")
    assert scripts.write("script", experiment, setting, trajectory) == "untouched gradients/weight"
    ((code, out),) = scripts.run().values()
    assert code == 1 and "outside the allowance: reproduced" in out


def test_a_script_says_what_it_is_about(tmp_path: Path, bench: Any, bump: Callable[..., Any]) -> None:
    experiment = bench.experiment(**MOMENTUM)
    trajectory = bump(bench.torch(experiment, dtype="float32"), "params/weight", (7, 0, 0, 5), 64)
    Scripts(tmp_path).write("script", experiment, {"dtype": "float32"}, trajectory)
    text = (tmp_path / "script.py").read_text(encoding="utf-8")
    first = judge(experiment, trajectory).first
    assert first is not None
    assert "small, cpu float32 loss for-loop: torch disagrees" in text
    assert str(first) in text
    assert f"torch {torch.__version__}" in text and f"numpy {np.__version__}" in text
    for value in (first.candidate, first.expected, first.allowance):
        assert f"= {value}\n" in text
    assert len(text.splitlines()[0]) < 120
