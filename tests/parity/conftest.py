"""A small experiment shaped like the textbook's, a way to run it in torch, and a way to run planted faults."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.text import Text

from parity.backends.base import Setting
from parity.backends.torch_backend import TorchBackend
from parity.experiment import Experiment
from parity.explain.cause import named
from parity.features.check import series
from parity.features.check.put_off import put_off_dynamo
from parity.formulation import realise
from parity.judge import Verdict
from parity.judge import judge as judge_trajectory
from refimpl.batches import Batches
from refimpl.datasets import Gaussian
from refimpl.initial_weights import Normal
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD
from refimpl.penalties import L2
from refimpl.training import Group, train
from refimpl.trajectory import Trajectory

torch.set_num_threads(1)
put_off_dynamo()  # no test here compiles, and to import it costs as much as torch


@dataclass(frozen=True)
class Bench:
    """What tests do with experiments."""

    defaults: Mapping[str, Any] = field(
        default_factory=lambda: {
            "name": "small",
            "data": Gaussian(train_rows=12, validation_rows=6, features=24),
            "epochs": 3,
            "loss": SquaredError(factor=0.5, reduction="mean"),
            "penalties": (L2(strength=3.0),),
            "optimizer": SGD(lr=0.01),
            "init": {"weight": Normal(std=0.01), "bias": Normal(std=0.1)},
            "batches": Batches(size=5),  # 5 + 5 + 2: the last batch of an epoch is ragged
        }
    )

    def experiment(self, **changes: Any) -> Experiment:
        """24 features, 12 rows in batches of 5, 5 and 2, 3 epochs, λ = 3: 9 steps; ``changes`` replace parts of it."""
        return Experiment(**{**self.defaults, **changes})

    def torch(self, experiment: Experiment, **setting: Any) -> Trajectory:
        """The trajectory of a torch run, float64 unless asked otherwise."""
        return TorchBackend().run(experiment, Setting(**{"dtype": "float64", **setting}))

    def judge(self, experiment: Experiment, **setting: Any) -> Verdict:
        """The verdict on a torch run of the same experiment."""
        return judge_trajectory(experiment, self.torch(experiment, **setting))

    def numpy(self, experiment: Experiment, optimizer: Any = None, order: Any = None) -> Trajectory:
        """A float64 run of the reference dressed as a candidate, with another ``optimizer`` or ``order`` of batches."""
        form, material = realise(experiment, "weight_decay"), experiment.draw()
        inputs = material.inputs
        run = train(
            form.in_gradient,
            [Group(parameters=(name,), optimizer=optimizer or own) for name, own in form.optimizers.items()],
            material.params,
            inputs["X"],
            inputs["y"],
            order or material.order,
            schedule=form.schedule,
            validation=(inputs["X_validation"], inputs["y_validation"]) if "X_validation" in inputs else None,
        )
        return replace(run, inputs=inputs, meta={"dtype": "float64", "formulation": "weight_decay"})


@pytest.fixture
def code_runs_here(monkeypatch: pytest.MonkeyPatch, slow_tier: bool) -> None:
    """In the fast tier the code that ``parity check`` is given runs here, and not in a process that imports torch."""
    if slow_tier:
        return

    def run(function: str, *arguments: Any, limit: float) -> Any:  # noqa: ARG001
        module, _, name = function.partition(":")
        return getattr(import_module(module), name)(*arguments)

    for module in ("optimizer", "training", "experiments"):
        monkeypatch.setattr(f"parity.features.check.{module}.run", run)
    monkeypatch.setattr("sys.argv", sys.argv[:])
    monkeypatch.setattr("sys.path", sys.path[:])


@pytest.fixture
def few_faults(monkeypatch: pytest.MonkeyPatch, slow_tier: bool) -> None:
    """In the fast tier a log is held beside ten of the named faults, where the others are not the point."""
    if not slow_tier:
        monkeypatch.setattr(series, "named", lambda design: islice(named(design), 10))


class Short(torch.optim.AdamW):
    """Steps 1e-4 too short; that is set before a closure is called."""

    def step(self, closure: Any = None) -> Any:
        (group,) = self.param_groups
        group["lr"] *= 1 - 1e-4
        result = super().step(closure)
        group["lr"] /= 1 - 1e-4
        return result


@pytest.fixture(scope="session")
def short() -> type[torch.optim.Optimizer]:
    """An optimizer whose every step is wrong by a little."""
    return Short


@pytest.fixture(scope="session")
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def asks(bench: Bench) -> Callable[..., Experiment]:
    """17 rows in batches of 3: 6 batches an epoch, the last one short, so that windows of 4 leave 2 batches."""

    def ask(**changes: Any) -> Experiment:
        plain = {
            "data": Gaussian(train_rows=17, validation_rows=6, features=24),
            "batches": Batches(size=3),
            "optimizer": SGD(lr=0.05, momentum=0.9),
        }
        return bench.experiment(**{**plain, **changes})

    return ask


@pytest.fixture(scope="session")
def bump() -> Callable[..., Any]:
    """A trajectory with one element moved by so many units in the last place of its dtype."""

    def moved(trajectory: Trajectory, where: str, index: tuple[int, ...], ulps: float) -> Trajectory:
        part, _, name = where.partition("/")
        digits = {"float64": 53, "float32": 24, "bfloat16": 8, "float16": 11}[trajectory.meta["dtype"]]
        holder = getattr(trajectory, part)
        name, _, key = name.partition(".")
        old = holder if not name else holder[name][key] if key else holder[name]
        new = old.copy()
        new[index] += ulps * 2.0 ** (np.floor(np.log2(abs(new[index]))) - digits + 1)
        changed: Any = new
        if name:
            changed = {**holder, name: {**holder[name], key: new} if key else new}
        return replace(trajectory, **{part: changed})

    return moved


@pytest.fixture(scope="session")
def whole() -> Callable[[Any], None]:
    """Holds a picture to this: no text leaves it or meets another, and no colour stands for two things."""

    def check(figure: Any) -> None:
        texts: list[Any] = []
        draw = Text.draw
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Text, "draw", lambda text, renderer: (texts.append(text), draw(text, renderer)))
            figure.draw_without_rendering()
        texts = [text for text in texts if text.get_visible() and text.get_text().strip()]
        edge = figure.bbox.extents
        boxes = np.array([text.get_window_extent().extents for text in texts])
        inside = (boxes[:, :2] >= edge[:2] - 0.5).all(axis=1) & (boxes[:, 2:] <= edge[2:] + 0.5).all(axis=1)
        assert inside.all(), f"cut: {[texts[i].get_text() for i in np.flatnonzero(~inside)]}"
        low, high = boxes[:, None, :2] + 1, boxes[None, :, 2:]  # one pixel: the boxes are wider than the letters
        meet = (low < high).all(axis=2) & (low < high).all(axis=2).T
        pairs = [(texts[i].get_text(), texts[j].get_text()) for i, j in np.argwhere(np.triu(meet, 1))]
        assert not pairs, f"one over the other: {pairs}"
        for axis in figure.axes:
            things: dict[str, str] = {}
            for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
                colour = to_hex(handle.get_facecolor() if hasattr(handle, "get_facecolor") else handle.get_color())
                assert things.setdefault(colour, label.split(",")[0]) == label.split(",")[0], f"{colour}: two things"

    return check
