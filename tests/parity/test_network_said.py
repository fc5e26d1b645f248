"""What is said of a run of a network, written of it and refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.backends.base import Setting
from parity.errors import InputError
from parity.experiment import Experiment
from parity.explain.diagnosis import diagnose
from parity.features.run.repro import write_repro
from parity.features.run.results import Run
from parity.features.run.run import run
from parity.formulation import FORMULATIONS
from parity.judge import judge
from refimpl.batches import Batches
from refimpl.datasets import Gaussian
from refimpl.losses import SquaredError
from refimpl.models import MLP, Linear
from refimpl.optimizers import SGD
from tests.parity.networks import DATA, DROPOUT, NAMES, network


def test_the_report_says_which_data_were_used() -> None:
    report = run(network(), dtypes=["float32"], formulations=["weight_decay"])
    assert report.references[0].data == "classes: 24 training and 8 validation rows of 30 features"
    assert '"network": "classes: 24 training and 8 validation rows of 30 features"' in report.to_json()
    assert report.runs[0].free_run is not None and report.runs[0].free_run.digits > 4
    assert report.runs[0].ridge_distance is None


def test_an_explanation_of_a_network_is_refused_in_a_sentence(bench: Any) -> None:
    experiment = network()
    with pytest.raises(
        InputError, match=r"^network: has the model MLP; what differs can be explained for linear models"
    ):
        diagnose(experiment, bench.torch(experiment))


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("formulation", FORMULATIONS)
@pytest.mark.parametrize("where", ["loss", "gradient fc2.weight", "update fc1.weight", "train loss", "norm"])
def test_a_disagreement_is_written_as_a_script_that_shows_torchs_own_value(
    where: str, formulation: Any, dropped: bool, bench: Any, tmp_path: Path
) -> None:
    experiment = network(**(DROPOUT if dropped else {}))
    trajectory = bench.torch(experiment, dtype="float32", formulation=formulation)
    part, _, name = where.partition(" ")
    moved = {
        "loss": lambda: replace(trajectory, loss=trajectory.loss * 1.01),
        "gradient": lambda: replace(
            trajectory, gradients={**trajectory.gradients, name: trajectory.gradients[name] * 1.01}
        ),
        "update": lambda: replace(trajectory, params={**trajectory.params, name: _moved(trajectory.params[name])}),
        "train": lambda: replace(trajectory, train_loss=trajectory.train_loss * 1.01),
        "norm": lambda: replace(trajectory, norm=trajectory.norm * 1.01),
    }[part]()
    verdict = judge(experiment, moved)
    assert verdict.first is not None and str(verdict.first.quantity) == where
    one = Run(experiment, "torch", Setting(dtype="float32", formulation=formulation), verdict, moved)
    path = write_repro(one, tmp_path / "repro.py")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with pytest.raises(SystemExit) as left:
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
    assert left.value.code == 0, where  # torch itself is right


def _moved(weights: Any) -> Any:
    """After the third step one element is elsewhere."""
    changed = weights.copy()
    changed[3, 0, 2, 3] += 1e-3
    return changed


@pytest.mark.slow
def test_many_numbers_are_written_as_bytes(bench: Any, tmp_path: Path) -> None:
    experiment = network(
        data=replace(DATA, features=2500, validation_rows=0), model=MLP(hidden=10, outputs=4), epochs=1
    )
    trajectory = bench.torch(experiment, dtype="float32")
    changed = replace(trajectory, gradients={**trajectory.gradients, NAMES[0]: 1.01 * trajectory.gradients[NAMES[0]]})
    verdict = judge(experiment, changed)
    path = write_repro(Run(experiment, "torch", Setting(dtype="float32"), verdict, changed), tmp_path / "repro.py")
    assert "bytes.fromhex" in path.read_text(encoding="utf-8")
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "") and "got" in done.stdout


def test_a_run_of_many_numbers_can_be_saved_and_relieved_of_its_steps(bench: Any, tmp_path: Path) -> None:
    experiment = network(
        data=replace(DATA, train_rows=40, features=2000, validation_rows=0),
        model=MLP(hidden=20, outputs=4),
        batches=Batches(size=2),
        epochs=2,
    )
    trajectory = bench.torch(experiment)
    assert trajectory.large and not bench.torch(network()).large
    light = trajectory.without_steps()
    assert not light.large and light.gradients == {} and light.steps == 40
    assert all(np.array_equal(light.params[name][-1], trajectory.params[name][-1]) for name in NAMES)
    trajectory.save(tmp_path / "run.npz")
    loaded = type(trajectory).load(tmp_path / "run.npz")
    assert np.array_equal(loaded.params["fc1.weight"], trajectory.params["fc1.weight"])
    assert set(loaded.state["fc1.weight"]) == {"step", "exp_avg", "exp_avg_sq"}


def test_a_results_folder_has_no_single_steps_of_a_network_and_memory_only_without_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("refimpl.trajectory.LARGE", 30_000)
    monkeypatch.setattr("parity.features.run.pictures.draw_all", lambda *_: [])
    words: Any = {"dtypes": ["float32"], "formulations": ["weight_decay"]}
    kept, whole = run(network(), out=tmp_path, **words), run(network(), **words)
    for report, steps in ((kept, 0), (whole, 8)):
        for trajectory in (report.references[0].trajectory, report.runs[0].trajectory):
            assert trajectory is not None and len(trajectory.norm) == 9
            assert [len(values) for values in trajectory.gradients.values()] == [steps] * len(NAMES) * bool(steps)
    for file in (tmp_path / "trajectories").iterdir():
        assert file.stat().st_size < 30_000


def test_a_linear_model_has_no_masks() -> None:
    assert (
        Experiment(
            name="linear",
            data=Gaussian(train_rows=4, features=2),
            loss=SquaredError(factor=0.5, reduction="mean"),
            optimizer=SGD(lr=0.1),
            epochs=1,
            model=Linear(),
        )
        .draw()
        .masks
        == ()
    )
