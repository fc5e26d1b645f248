"""A training that is resumed is held to one that never stopped, and what it forgot is named."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from typing import Any

import pytest
import torch

import parity
from parity import stability, trace
from parity.backends import torch_autograd
from parity.errors import InputError
from parity.experiment import Experiment
from parity.experiment_file import from_dict, to_toml
from parity.explain.diagnosis import diagnose
from parity.features.check.in_process import trajectory_here
from parity.judge import judge
from refimpl.batches import Batches
from refimpl.datasets import Gaussian
from refimpl.errors import ParameterError
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD
from refimpl.resuming import Resume
from refimpl.schedules import Polynomial

AT = 7


@pytest.fixture(scope="module")
def resumed(bench: Any) -> Experiment:
    """Four epochs of five steps; resumed in the second one."""
    experiment: Experiment = bench.experiment(
        data=Gaussian(train_rows=15, features=24),
        batches=Batches(size=3),
        loss=SquaredError(factor=1.0, reduction="mean"),
        penalties=(),
        optimizer=SGD(lr=0.02, momentum=0.9),
        schedule=Polynomial(total_iters=20, power=1.0, per="step"),
        epochs=4,
        resume=Resume(at=(AT,)),
    )
    return experiment


def training(task: Any, forget: str = "", *, report: bool = True, scale: float = 1.0) -> None:
    """A loop that saves all, and forgets to load the ``optimizer``, its ``state`` alone, the ``scheduler`` or the place
    in the order of ``batches``."""

    def made() -> dict[str, Any]:
        net = torch.nn.Linear(task.features, 1, dtype=task.dtype)
        with torch.no_grad():
            net.weight.copy_(task.weight)
            net.bias.copy_(task.bias)
        optimizer = torch.optim.SGD(net.parameters(), lr=task.lr, momentum=0.9)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 1 - k / 20)
        return {"net": net, "optimizer": optimizer, "scheduler": scheduler}

    parts, batches = made(), [batch for _ in range(task.epochs) for batch in task.loader]
    for k in range(len(batches)):
        if k in task.resume_at:
            saved = {name: part.state_dict() for name, part in parts.items() if name != forget}
            if forget == "state":
                saved["optimizer"]["state"] = {}
            saved["net"] = {name: scale * values for name, values in saved["net"].items()}
            parts = made()
            for name, state in saved.items():
                parts[name].load_state_dict(state)
            if forget == "batches":
                batches = batches[:k] + batches
        X, y = batches[k]
        parts["optimizer"].zero_grad()
        torch.nn.functional.mse_loss(parts["net"](X), y).backward()  # type: ignore[no-untyped-call]
        parts["optimizer"].step()
        parts["scheduler"].step()
        if report:
            task.record(parts["net"])


def checked(experiment: Experiment, dtype: str, **how: Any) -> Any:
    trajectory, observed = trajectory_here(lambda task: training(task, **how), experiment, dtype)
    return diagnose(experiment, trajectory, observed=observed)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_a_loop_that_loads_all_it_saved_agrees(resumed: Experiment, dtype: str) -> None:
    diagnosis = checked(resumed, dtype)
    assert not diagnosis.findings and not any("resumed" in note for note in diagnosis.notes), diagnosis.text


def test_a_new_model_that_begins_where_the_old_one_ended_goes_on_with_its_steps(resumed: Experiment) -> None:
    """Nothing is reported: what is seen are the optimizers of two models."""
    trajectory, observed = trajectory_here(lambda task: training(task, report=False), resumed, "float64")
    diagnosis = diagnose(resumed, trajectory, observed=observed)
    assert trajectory.steps == 20 and not diagnosis.findings, diagnosis.text


def test_a_new_model_that_begins_elsewhere_is_said_not_to_be_judged(resumed: Experiment) -> None:
    trajectory, observed = trajectory_here(lambda task: training(task, report=False, scale=0.5), resumed, "float64")
    diagnosis = diagnose(resumed, trajectory, observed=observed)
    assert trajectory.steps == AT
    assert any(note.startswith("7 of 20 steps are judged; another layer of this") for note in diagnosis.notes)


def test_steps_of_another_layer_between_those_of_the_model_are_not_counted_after_it(resumed: Experiment) -> None:
    def beside(task: Any) -> None:
        other = torch.nn.Linear(task.features, 1, dtype=task.dtype)
        optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
        other.weight.grad = torch.ones_like(other.weight)
        optimizer.step()
        training(task, report=False)

    assert trajectory_here(beside, resumed, "float64")[1].others == 0


FORGOTTEN: dict[str, list[str]] = {
    "state": ["state-lost"],
    "scheduler": ["schedule-restarted"],
    "batches": ["batches-other-order"],
    "optimizer": ["state-lost", "schedule-rebuilt"],
}


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("what", "dtype"),
    [*((what, "float32") for what in FORGOTTEN), ("state", "bfloat16"), ("scheduler", "bfloat16")],
)
def test_what_is_not_restored_is_named_and_said_to_begin_there(resumed: Experiment, what: str, dtype: str) -> None:
    diagnosis = checked(resumed, dtype, forget=what)
    assert [finding.id for finding in diagnosis.findings] == FORGOTTEN[what], diagnosis.text
    assert any(note.startswith(f"the training is to be resumed before step {AT}; ") for note in diagnosis.notes)


def test_a_framework_that_loses_its_state_disagrees_there(
    resumed: Experiment, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_momentum(state: dict[str, Any]) -> dict[str, Any]:
        return {**state, "optimizer": {**state["optimizer"], "state": {}}}

    monkeypatch.setattr(torch_autograd, "saved", without_momentum)
    verdict = judge(resumed, bench.torch(resumed))
    assert verdict.first is not None and (verdict.first.quantity.kind, verdict.first.step) == ("state", AT)


@pytest.mark.parametrize(
    ("at", "said"),
    [([], "at: given ()"), ([0, 3], "at: given (0, 3)"), ([3, 3], "allowed: steps ≥ 1, each larger"), (3, "at: ")],
)
def test_steps_that_are_none_are_refused_in_one_line(resumed: Experiment, at: Any, said: str) -> None:
    document = tomllib.loads(to_toml(resumed)) | {"resume": {"at": at}}
    with pytest.raises(InputError, match=re.escape(said)) as raised:
        from_dict(document)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("at", [7, None, "7"])
def test_what_is_no_list_of_steps_is_refused_in_python_too(at: Any) -> None:
    with pytest.raises(ParameterError, match="at: given"):
        Resume(at=at)
    assert Resume(at=[2, 5]) == Resume(at=(2, 5))  # type: ignore[arg-type]


@pytest.mark.parametrize("tool", [trace, stability])
def test_a_training_that_is_resumed_has_the_steps_and_the_limit_of_any_other(tool: Any) -> None:
    asked = parity.load("check-plain")
    assert str(tool(replace(asked, resume=Resume(at=(9,))))) == str(tool(asked))


def test_a_step_that_the_run_does_not_have_is_refused(bench: Any) -> None:
    with pytest.raises(ParameterError, match=r"resume.at: given 400; allowed: 1 to \d+: the run has \d+ steps"):
        bench.experiment(resume=Resume(at=(400,))).draw()
