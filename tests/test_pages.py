"""Every command, file and printed number of the pages that lead a reader by the hand."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import parity
from parity.cli import main
from parity.experiment_file import from_dict
from parity.explain.catalogue import NAMES
from parity.explain.diagnosis import diagnose
from parity.features.check import held
from parity.features.check.in_process import trajectory_here
from parity.pytest_plugin import assert_optimizer, assert_parity
from refimpl.clipping import Clip
from refimpl.datasets import Gaussian
from refimpl.initial_weights import Normal
from refimpl.losses import SquaredError
from refimpl.optimizers import OPTIMIZERS, SGD
from refimpl.penalties import PENALTIES

ROOT = Path(__file__).parents[1]
README = [line.split("#")[0].strip() for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()]


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def blocks(text: str) -> list[tuple[str, str]]:
    """(language, content) of every block of code, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


# -- commands ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("page", ["index.md", "ten-minutes.md", "cookbook.md"])
def test_every_command_runs_and_prints_what_the_page_shows(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the order of the page, in one folder. The checks that the README has, too, are run by its own test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.features.run.run._Folder.finish", lambda *_: None)  # pictures have tests of their own
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    printed, commands = "", 0
    for language, text in blocks(text_of(page)):
        if language == "python" and "open(" in text:  # it writes a file for a command below
            exec(compile(text, page, "exec"), {"__name__": "__main__"})
        elif language == "text":
            assert all(squeezed(line) in squeezed(printed) for line in text.splitlines()), text
        elif language == "sh":
            for line in (line.split("#")[0].strip() for line in text.splitlines()):
                if not line.startswith("parity "):
                    assert line in ("", "make run", "source .venv/bin/activate"), line
                    continue
                commands += 1
                if " check " in line and line in README:
                    continue
                words, _, target = line.partition(" > ")
                capsys.readouterr()
                code = main(shlex.split(words)[1:])
                printed, errors = capsys.readouterr()
                assert code in ((1,) if " check " in line else (0, 1) if "fused" in line else (0,)), f"{line}: {errors}"
                if target:
                    Path(target).write_text(printed, encoding="utf-8")
    assert commands >= 2


def test_the_step_by_hand_of_the_tolerance_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    ((_, code), (_, shown)) = (block for block in blocks(text_of("tolerance.md")) if block[0] in ("python", "text"))
    exec(compile(code, "tolerance.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == shown


# -- files to add --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files() -> dict[str, ModuleType]:
    """The files of docs/extend.md as modules, by file name; a block belongs to the path in the line before it."""
    found = {}
    for path, code in re.findall(
        r"`([\w/]+)\.py`:\n\n```py\n(.*?)^```", text_of("extend.md"), re.DOTALL | re.MULTILINE
    ):
        module = ModuleType(path.replace("/", "."))
        sys.modules[module.__name__] = module  # where dataclasses look up annotations
        exec(compile(code, path, "exec"), module.__dict__)
        found[Path(path).name] = module
    return found


@pytest.fixture
def qhm(files: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(OPTIMIZERS, "qhm", files["qhm"].QHM)
    monkeypatch.setitem(held.BY_NAME, "qhm", "qhm")
    return files["qhm"].QHM


@pytest.fixture
def towards(files: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(PENALTIES, "towards", files["towards"].Towards)
    return files["towards"].Towards


def asked(**parts: Any) -> parity.Experiment:
    usual = {
        "name": "asked",
        "data": Gaussian(train_rows=12, features=5),
        "loss": SquaredError(factor=0.5, reduction="mean"),
        "optimizer": SGD(lr=0.1),
        "init": {"weight": Normal(std=0.5)},
        "epochs": 3,
    }
    return parity.Experiment(**usual | parts)


def test_the_added_optimizer_can_be_asked_for_and_code_is_held_to_it(
    qhm: Any, files: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {"kind": "qhm", "lr": 0.01, "momentum": 0.5}
    assert from_dict(gallery_file() | {"optimizer": document}).optimizer == qhm(lr=0.01, momentum=0.5)
    by_hand = files["qhm_by_hand"].QHM
    assert_optimizer(by_hand, against="qhm", dtypes=("float64",), lr=0.01, weight_decay=0.1)

    monkeypatch.setattr(by_hand.__init__, "__defaults__", (0.001, 0.8, 0.7, 0.0))
    with pytest.raises(AssertionError, match="momentum"):
        assert_optimizer(by_hand, against="qhm(momentum=0.9)", dtypes=("float64",), lr=0.01)


def test_the_added_penalty_is_what_it_says_it_is(towards: Any) -> None:
    """The gradient by finite differences; the prox fulfils its own condition of optimality."""
    penalty = towards(strength=0.3, centre=1.5)
    w = np.array([[[0.2, -1.0, 1.5, 4.0]]])
    h = 1e-6 * np.eye(4)[:, None, None, :]
    slopes = [(penalty.value(w + one) - penalty.value(w - one))[0] / 2e-6 for one in h]
    np.testing.assert_allclose(penalty.subgradient(w)[0, 0], slopes, rtol=1e-8, atol=1e-8)
    v = penalty.prox(w, 0.7)
    np.testing.assert_allclose(penalty.distance(v, (v - w) / 0.7), 0, atol=1e-15)


def test_the_training_loop_with_the_added_penalty_is_the_reference(towards: Any, files: dict[str, ModuleType]) -> None:
    assert_parity(files["fine_tune"].train, asked(penalties=(towards(strength=0.3, centre=1.0),)))


def test_the_added_backend_agrees_and_a_fault_in_it_is_found(
    files: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = files["numpy_backend"].NumpyBackend()
    experiment = parity.load("s0-scratch-lam3")

    def run() -> Any:
        return parity.run(experiment, backend=backend, dtypes=["float32", "float64"], formulations=["loss"])

    others = [parity.load(name) for name in ("check-momentum", "check-l1", "check-schedule")]
    for other in (*others, replace(experiment, clip=Clip(norm=0.1))):
        assert {one.verdict.name for one in parity.run(other, backend=backend).runs} == {"unsupported"}
    report = run()
    assert [one.verdict.name for one in report.runs] == ["agree", "agree"]
    assert [one.setting.dtype for one in report.runs] == ["float32", "float64"]
    monkeypatch.setattr(files["numpy_backend"].np, "mean", lambda x: np.sum(x) / (len(x) + 1))
    assert {one.verdict.name for one in run().runs} == {"disagree"}


@pytest.mark.slow
def test_the_added_name_is_found_where_it_is_the_cause(
    files: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = files["quantiles"].QUANTILES
    experiment = parity.load("check-sgd")

    def ids() -> list[str]:
        trajectory, observed = trajectory_here(files["quantile"].train, experiment, "float64")
        return [finding.id for finding in diagnose(experiment, trajectory, observed=observed).findings]

    assert ids() == ["rows-as-measured"]
    monkeypatch.setitem(NAMES, name.id, name)
    assert ids() == ["loss-pinball"]


def gallery_file() -> dict[str, Any]:
    ((_, text),) = (block for block in blocks(text_of("extend.md")) if block[0] == "toml")
    return tomllib.loads(text)


def test_the_added_experiment_agrees() -> None:
    report = parity.run(from_dict(gallery_file()), dtypes=["float64"], formulations=["loss", "manual"])
    assert [one.verdict.name for one in report.runs] == ["agree", "agree"]
