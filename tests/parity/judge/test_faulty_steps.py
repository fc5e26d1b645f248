"""A fault in the optimizer's step is caught, from the weights alone as well."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from parity.judge.verdict import judge
from refimpl.errors import ShapeError
from refimpl.optimizers import SGD, SGDW
from refimpl.types import Array, State
from tests.parity.judge.cases import FORMULATIONS, MOMENTUM, OTHERS, first


@dataclass(frozen=True, kw_only=True)
class DampenedFirstStep(SGD):
    """b ← (1 − τ)g at the first step, too."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        return super().step(param, grad, state or {"momentum_buffer": np.zeros_like(param)})


@dataclass(frozen=True, kw_only=True)
class StaleGradient(SGD):
    """The gradient of the step before."""

    memory: dict[int, Any] = field(default_factory=dict)

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        old = self.memory.get(param.ndim, grad)
        self.memory[param.ndim] = grad
        return super().step(param, old, state)


@dataclass(frozen=True, kw_only=True)
class RateInTheVelocity(SGD):
    """Sutskever's form: b ← μb + ηg, w ← w − b."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        b = self.momentum * state.get("momentum_buffer", 0) + self.lr * (grad + self.weight_decay * param)
        return param - b, {"momentum_buffer": b}


@dataclass(frozen=True, kw_only=True)
class DecayFromTheNewWeights(SGD):
    """w ← (w − ηg)/(1 + ηλ): implicit."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        del state
        return (param - self.lr * grad) / (1 + self.lr * self.weight_decay), {}


@dataclass(frozen=True, kw_only=True)
class LastElementForgotten(SGD):
    """A vector kernel without its tail."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        new, state = super().step(param, grad, state)
        new[..., -1] = param[..., -1]
        return new, state


@dataclass(frozen=True, kw_only=True)
class UninitialisedMemory(SGD):
    """One element of the weights is nan, once there is a buffer."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        new, after = super().step(param, grad, state)
        if state and param.ndim == 3:
            new[..., 5] = np.nan
        return new, after


@dataclass(frozen=True, kw_only=True)
class SinglePrecision(SGD):
    """Weights that pass through float32."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        new, state = super().step(param, grad, state)
        return new.astype(np.float32).astype(float), state


@dataclass(frozen=True, kw_only=True)
class BufferOfWeights(SGD):
    """The buffer keeps the gradient without λw, as decoupled decay would."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        new, after = super().step(param, grad, state)
        return new, {"momentum_buffer": after["momentum_buffer"] - self.weight_decay * param}


PLAIN = {"lr": 0.01, "weight_decay": 3.0}
HEAVY = {**PLAIN, "momentum": 0.9}
FAULTY_STEPS: dict[str, tuple[SGD, Any, tuple[str, int]]] = {
    "the first step dampened": (
        SGD(**HEAVY, dampening=0.25),
        DampenedFirstStep(**HEAVY, dampening=0.25),
        ("state weight.momentum_buffer", 0),
    ),
    "a stale gradient": (SGD(**PLAIN), StaleGradient(**PLAIN), ("update weight", 1)),
    "the rate in the velocity": (SGD(**HEAVY), RateInTheVelocity(**HEAVY), ("state weight.momentum_buffer", 0)),
    "an implicit decay": (SGD(**PLAIN), DecayFromTheNewWeights(**PLAIN), ("update weight", 0)),
    "a decoupled decay": (SGD(**HEAVY), SGDW(**HEAVY), ("state weight.momentum_buffer", 0)),
    "the last element forgotten": (SGD(**PLAIN), LastElementForgotten(**PLAIN), ("update weight", 0)),
    "uninitialised memory": (SGD(**HEAVY), UninitialisedMemory(**HEAVY), ("update weight", 1)),
    "single precision": (SGD(**PLAIN), SinglePrecision(**PLAIN), ("update weight", 0)),
    "a buffer without the decay": (SGD(**HEAVY), BufferOfWeights(**HEAVY), ("state weight.momentum_buffer", 0)),
}


@pytest.mark.parametrize("what", FAULTY_STEPS)
def test_a_faulty_step_is_caught(what: str, bench: Any) -> None:
    right, faulty, where = FAULTY_STEPS[what]
    experiment = bench.experiment(optimizer=right, penalties=())
    assert judge(experiment, bench.numpy(experiment)).name == "agree"
    assert first(judge(experiment, bench.numpy(experiment, faulty))) == where


@pytest.mark.parametrize("what", FAULTY_STEPS)
def test_a_faulty_step_is_caught_from_the_weights_alone(what: str, bench: Any) -> None:
    """As in a log: neither gradients nor state were recorded; the whole step is checked, with its state replayed."""
    right, faulty, _ = FAULTY_STEPS[what]
    experiment = bench.experiment(optimizer=right, penalties=())
    bare = {"gradients": {}, "state": {}}
    correct = judge(experiment, replace(bench.numpy(experiment), **bare))
    assert correct.name == "agree"
    assert {"whole step weight", "whole step bias"} <= set(correct.used)
    found = judge(experiment, replace(bench.numpy(experiment, faulty), **bare))
    if what == "the rate in the velocity":  # with a constant rate the weights are the same
        assert found.name == "agree"
        return
    if what == "a buffer without the decay":  # the weights were right once, and then the buffer is used
        assert first(found)[1] == 1
    assert found.name == "disagree" and found.first.quantity.kind == "whole step"


@pytest.mark.parametrize(
    ("dtype", "formulation"), [("float32", form) for form in FORMULATIONS] + [(dtype, "manual") for dtype in OTHERS]
)
def test_correct_weights_alone_agree(dtype: str, formulation: str, bench: Any) -> None:
    experiment = bench.experiment(**MOMENTUM)
    trajectory = bench.torch(experiment, dtype=dtype, formulation=formulation)
    assert judge(experiment, replace(trajectory, gradients={}, state={})).name == "agree"


@pytest.mark.parametrize("missing", ["gradients", "state"])
def test_what_was_not_recorded_is_replayed(missing: str, bench: Any) -> None:
    experiment = bench.experiment(**MOMENTUM)
    wrong = bench.torch(bench.experiment(optimizer=SGD(lr=0.01, momentum=0.9 * (1 + 1e-6))))
    correct = judge(experiment, replace(bench.torch(experiment), **{missing: {}}))
    assert correct.name == "agree" and {"whole step weight", "whole step bias"} <= set(correct.used)
    quantity, step = first(judge(experiment, replace(wrong, **{missing: {}})))
    assert quantity.startswith("whole step ") and step >= 1


def test_a_state_made_before_the_first_step_is_caught(bench: Any) -> None:
    """torch makes its buffer in the first step; one of zeros before it would dampen that step."""
    experiment = bench.experiment(**MOMENTUM)
    trajectory = bench.torch(experiment)
    early = {
        name: {key: np.concatenate([np.zeros_like(values[:1]), values]) for key, values in states.items()}
        for name, states in trajectory.state.items()
    }
    verdict = judge(experiment, replace(trajectory, state=early))
    assert verdict.name == "disagree" and verdict.first.step == 0
    assert "initial state weight.momentum_buffer" in {str(c.quantity) for c in verdict.comparisons if c.disagreement}


@pytest.mark.parametrize(
    "name", ["params/weight", "gradients/bias", "loss", "objective", "norm", "train_loss", "validation_loss"]
)
def test_a_record_of_another_length_is_no_record_of_the_experiment(name: str, bench: Any) -> None:
    experiment = bench.experiment()
    trajectory = bench.torch(experiment)
    part, _, key = name.partition("/")
    old = getattr(trajectory, part)
    for cut in (slice(1, None), slice(None, -1)):
        short = {**old, key: old[key][cut]} if key else old[cut]
        with pytest.raises(ShapeError, match="for this experiment; record every step once"):
            judge(experiment, replace(trajectory, **{part: short}))


def test_a_record_without_a_parameter_is_no_record_of_the_experiment(bench: Any) -> None:
    experiment = bench.experiment()
    trajectory = bench.torch(experiment)
    without = {"weight": trajectory.params["weight"]}
    with pytest.raises(ShapeError, match="every parameter"):
        judge(experiment, replace(trajectory, params=without))
