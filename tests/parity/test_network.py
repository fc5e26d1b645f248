"""A network of two layers: torch agrees, a fault is caught where it is, masks and data are those that are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
import pytest
import torch

import parity
from parity import gallery
from parity.backends import torch_parts
from parity.backends.reference import run_reference
from parity.errors import InputError
from parity.experiment_file import from_dict, to_toml
from parity.features.run.run import run
from parity.formulation import FORMULATIONS
from parity.judge import judge
from refimpl.batches import Batches
from refimpl.datasets import Classes, Digits, Gaussian
from refimpl.errors import DataError, ParameterError
from refimpl.losses import CrossEntropy, SquaredError
from refimpl.models import MLP
from refimpl.optimizers import SGD, Adam, AdamW, RMSprop
from refimpl.penalties import L2
from refimpl.schedules import Step
from tests.parity.networks import DROPOUT, NAMES, network

ARTICLE = [("s2-mlp", one) for one in FORMULATIONS] + list(
    zip((name for name in gallery.names() if name.startswith("s2-mlp-")), cycle(FORMULATIONS), strict=False)
)
"""The main one in every formulation, each of the others in one."""

PARTS: dict[str, dict[str, Any]] = {
    "Adam": {},
    "Adam with amsgrad": {"optimizer": Adam(lr=0.001, amsgrad=True)},
    "AdamW": {"optimizer": AdamW(lr=0.001, weight_decay=0.02), "penalties": ()},
    "RMSprop": {"optimizer": RMSprop(lr=0.001)},
    "RMSprop centered with momentum": {"optimizer": RMSprop(lr=0.001, eps=1e-3, momentum=0.9, centered=True)},
    "SGD": {"optimizer": SGD(lr=0.1, momentum=0.9)},
    "StepLR": {"schedule": Step(step_size=1, gamma=0.7)},
    "dropout": DROPOUT,
    "sum": {"loss": CrossEntropy(reduction="sum")},
    "one output and squared error": {
        "model": MLP(hidden=6, outputs=1),
        "loss": SquaredError(factor=0.5, reduction="mean"),
        "data": Gaussian(train_rows=24, features=30),
    },
}


@pytest.mark.parametrize("formulation", FORMULATIONS)
@pytest.mark.parametrize("part", PARTS)
def test_torch_agrees(part: str, formulation: Any, bench: Any) -> None:
    for dtype in ("float64", "float32"):
        verdict = bench.judge(network(**PARTS[part]), dtype=dtype, formulation=formulation)
        assert verdict.name == "agree", (dtype, verdict.text)


@pytest.mark.parametrize("implementation", ["foreach", "fused"])
def test_torchs_other_implementations_agree(implementation: str, bench: Any) -> None:
    assert bench.judge(network(), dtype="float32", implementation=implementation).name == "agree"


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_torch_agrees_in_low_precision(dtype: str, bench: Any) -> None:
    verdict = bench.judge(network(optimizer=SGD(lr=0.1)), dtype=dtype, formulation="weight_decay")
    assert verdict.name in ("agree", "undecidable"), verdict.text


@pytest.mark.parametrize(("name", "formulation"), ARTICLE)
def test_torch_agrees_on_the_articles_experiments_with_fewer_digits(name: str, formulation: Any, bench: Any) -> None:
    experiment = parity.load(name)
    fewer: Any = {"train_rows": 40, "validation_rows": 10}
    model: Any = replace(experiment.model, hidden=16)  # type: ignore[type-var]  # a dataclass
    small = replace(experiment, data=replace(experiment.data, **fewer), model=model)
    for dtype in ("float64", "float32"):
        verdict = bench.judge(small, dtype=dtype, formulation=formulation)
        assert verdict.name == "agree", (dtype, verdict.text)


@pytest.mark.slow
def test_a_whole_epoch_of_digits_agrees_in_float32(bench: Any) -> None:
    experiment = parity.load("s2-mlp")
    trajectory = bench.torch(experiment, dtype="float32", formulation="weight_decay")
    assert trajectory.steps == 45 and trajectory.params["fc1.weight"].shape == (46, 1, 128, 784)
    assert trajectory.train_loss[1, 0] < trajectory.train_loss[0, 0] / 2
    verdict = judge(experiment, trajectory)
    assert verdict.name == "agree", verdict.text
    assert all(comparison.used < 1 for comparison in verdict.comparisons)
    updated = {str(c.quantity): c.elements for c in verdict.comparisons if c.quantity.kind == "update"}
    assert sum(updated.values()) == 45 * 101_770


# -- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_a_strength_that_is_off_by_1e_5_is_caught_in_float32(formulation: Any, bench: Any) -> None:
    """Where a pixel is 0 in the whole batch the gradient is λw alone, and its bound is that of one product."""
    digits = network(data=Digits(train_rows=32, validation_rows=0), model=MLP(hidden=6), batches=Batches(), epochs=1)
    wrong = replace(digits, penalties=(L2(strength=0.02 * (1 + 1e-5), parameters=NAMES),))
    trajectory = bench.torch(wrong, dtype="float32", formulation=formulation)
    verdict = judge(digits, trajectory)
    assert verdict.name == "disagree"
    first = str(verdict.first.quantity)
    assert first in ("gradient fc1.weight", "state fc1.weight.exp_avg_sq", "state fc1.weight.exp_avg")
    assert judge(wrong, trajectory).name == "agree"


@pytest.mark.parametrize("name", NAMES)
def test_a_penalty_that_leaves_out_a_parameter_is_caught(name: str, bench: Any) -> None:
    others = tuple(other for other in NAMES if other != name)
    trajectory = bench.torch(network(penalties=(L2(strength=0.02, parameters=others),)), formulation="weight_decay")
    assert judge(network(), trajectory).name == "disagree"


@pytest.mark.parametrize(("name", "change"), [("lr", 1e-6), ("betas", 1e-6), ("eps", 1.0)])
def test_a_number_of_adam_that_is_off_is_caught_in_float32(name: str, change: float, bench: Any) -> None:
    right = getattr(Adam(lr=0.001), name)
    off = (right[0] * (1 + change), right[1]) if isinstance(right, tuple) else right * (1 + change)
    numbers: dict[str, Any] = {"lr": 0.001, name: off}
    verdict = judge(network(), bench.torch(network(optimizer=Adam(**numbers)), dtype="float32"))
    assert verdict.name == "disagree" and verdict.first.quantity.kind in ("update", "state")


def straight_through(a: torch.Tensor) -> torch.Tensor:
    """A ReLU whose derivative is 1 everywhere."""
    return a + (a.clamp(min=0) - a).detach()


def leaky(a: torch.Tensor) -> torch.Tensor:
    """A ReLU that lets a thousandth of what is negative through."""
    return torch.where(a > 0, a, a * 1e-3)


@pytest.mark.parametrize(("relu", "quantity"), [(straight_through, "gradient fc1"), (leaky, "loss")])
def test_another_relu_is_caught(
    relu: Callable[..., Any], quantity: str, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: Any, X: torch.Tensor) -> Any:
        return self.fc2(relu(self.fc1(X)))

    monkeypatch.setattr(torch_parts.TwoLayers, "forward", forward)
    for dtype in ("float64", "float32"):
        verdict = bench.judge(network(), dtype=dtype)
        assert verdict.name == "disagree"
        assert (verdict.first.step, str(verdict.first.quantity).startswith(quantity)) == (0, True)


@pytest.mark.parametrize("fault", ["no division by 1 − p", "the mask of the step before", "in evaluation, too"])
def test_a_fault_in_dropout_is_caught(fault: str, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original = torch_parts.TwoLayers.forward
    seen: list[torch.Tensor] = []

    def forward(self: Any, X: torch.Tensor, mask: torch.Tensor) -> Any:
        seen.append(mask)
        if fault == "no division by 1 − p":
            mask = mask * (1 - self.dropout)
        elif fault == "the mask of the step before":
            mask = seen[-2][: len(X)] if len(seen) > 1 and len(seen[-2]) >= len(X) else mask
        return original(self, X, mask)

    monkeypatch.setattr(torch_parts.TwoLayers, "forward", forward)
    if fault == "in evaluation, too":
        monkeypatch.setattr(
            "parity.backends.torch_run.evaluated",
            lambda model, params, X: torch_parts.evaluated(model, params, X) / (1 - model.dropout),
        )
    verdict = bench.judge(network(**DROPOUT), dtype="float32")
    assert verdict.name == "disagree"
    assert verdict.first.quantity.kind == ("train loss" if fault == "in evaluation, too" else "loss")


# -- masks and other data ----------------------------------------------------------------------------------------------


def test_each_step_has_a_mask_of_its_own_and_none_is_drawn_without_dropout() -> None:
    material = network(**DROPOUT).draw()
    assert [mask.shape for mask in material.masks] == [
        (1, len(rows), 6) for batches in material.order for rows in batches
    ]
    assert not np.array_equal(material.masks[0], material.masks[1])
    plain = network().draw()
    assert plain.masks == ()
    assert all(np.array_equal(plain.params[name], material.params[name]) for name in NAMES)
    assert np.array_equal(plain.dataset.X, material.dataset.X)


def test_the_reference_and_torch_leave_out_the_same_units(bench: Any) -> None:
    experiment = network(**DROPOUT, optimizer=SGD(lr=0.1))
    reference, torchs = run_reference(experiment, "loss"), bench.torch(experiment)
    np.testing.assert_allclose(torchs.loss, reference.loss, rtol=1e-12)
    assert not np.allclose(reference.loss, run_reference(network(optimizer=SGD(lr=0.1)), "loss").loss, rtol=1e-3)


def test_every_layer_starts_within_the_bound_of_its_own_inputs() -> None:
    params = network(model=MLP(hidden=100, outputs=4)).draw().params
    for name, inputs in (("fc1.weight", 30), ("fc1.bias", 30), ("fc2.weight", 100), ("fc2.bias", 100)):
        largest = np.max(np.abs(params[name])) * np.sqrt(inputs)
        assert (0.3 if name == "fc2.bias" else 0.9) < largest <= 1, name


def test_the_probability_of_dropout_is_a_number_that_a_run_must_show(bench: Any) -> None:
    """With all masks 1 it would only scale; that every other value of it disagrees says that it was seen."""
    other = network(model=MLP(hidden=6, outputs=4, dropout=0.4 + 1e-5))
    trajectory = bench.torch(network(**DROPOUT))
    assert judge(network(**DROPOUT), trajectory).name == "agree"
    assert np.array_equal(other.draw().masks[0], network(**DROPOUT).draw().masks[0])
    assert judge(other, trajectory).name == "disagree"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"data": Classes(train_rows=8, classes=5, features=3)},
            DataError,
            r"y\[.*given 4.0; allowed: a class from 0 to 3",
        ),
        (
            {"loss": SquaredError(factor=1.0, reduction="mean")},
            ParameterError,
            "model.outputs: given 4 with SquaredError",
        ),
    ],
)
def test_targets_that_do_not_fit_the_outputs_are_refused(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        network(**{"batches": Batches(), **changes}).draw()
    with pytest.raises(InputError, match=message):
        run(network(**{"batches": Batches(), **changes}))


def test_an_experiment_with_a_network_survives_writing_and_reading() -> None:
    import tomllib

    experiment = network(**DROPOUT)
    assert from_dict(tomllib.loads(to_toml(experiment))) == experiment
