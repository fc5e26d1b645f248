"""What the torch backend runs and records, held to torch code that shares nothing with it."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch

import parity
from parity.backends.base import Setting
from parity.backends.reference import run_reference
from parity.backends.torch_arithmetic import exactly, measured_accumulation, profiles
from parity.backends.torch_backend import TorchBackend, tf32
from parity.errors import InputError
from refimpl.arithmetic.formats import FORMATS
from refimpl.batches import Batches
from refimpl.optimizers import SGD
from refimpl.penalties import L1, L2
from refimpl.schedules import Exponential, Step

DTYPES = ("float64", "float32", "bfloat16", "float16")


def by_the_book(experiment: Any, *, lr: float, lam: float, factor: float) -> list[dict[str, Any]]:
    """The textbook's loop, written down once more: weights before each step and at the end."""
    material = experiment.draw()
    X, y = (torch.tensor(material.inputs[name][0]) for name in ("X", "y"))
    w = torch.tensor(material.params["weight"][0, 0], requires_grad=True)
    b = torch.tensor(material.params["bias"][0], requires_grad=True)
    recorded = []
    for epoch in material.order:
        for rows in epoch:
            recorded.append({"weight": w.detach().clone().numpy(), "bias": b.detach().clone().numpy()})
            loss = factor * ((X[rows] @ w + b - y[rows, 0]) ** 2).mean() + lam / 2 * w.dot(w)
            loss.backward()
            with torch.no_grad():
                for parameter in (w, b):
                    assert parameter.grad is not None
                    parameter -= lr * parameter.grad
                    parameter.grad = None
    return [*recorded, {"weight": w.detach().numpy(), "bias": b.detach().numpy()}]


@pytest.mark.parametrize(
    ("name", "lam", "factor"),
    [("s0-scratch-lam0", 0.0, 0.5), ("s0-scratch-lam3", 3.0, 0.5), ("s0-concise-lam3", 3.0, 1.0)],
)
def test_the_textbook_experiments_are_what_the_textbook_runs(name: str, lam: float, factor: float, bench: Any) -> None:
    experiment = parity.load(name)
    recorded = by_the_book(experiment, lr=0.01, lam=lam, factor=factor)
    for formulation in ("loss", "weight_decay", "manual"):
        trajectory = bench.torch(experiment, formulation=formulation)
        assert len(recorded) == len(trajectory.params["weight"]) == 41
        for step, params in enumerate(recorded):
            for what, values in params.items():
                assert np.allclose(trajectory.params[what][step].ravel(), values, rtol=1e-11, atol=1e-15)


def test_everything_that_a_step_had_is_recorded(bench: Any) -> None:
    """The recorded numbers explain one another, by formulas written down here."""
    experiment = bench.experiment(optimizer=SGD(lr=0.01, momentum=0.9))
    t = bench.torch(experiment, formulation="loss")
    rows = [rows for epoch in experiment.draw().order for rows in epoch]
    X, y = t.inputs["X"][0], t.inputs["y"][0, :, 0]
    for k, batch in enumerate(rows):
        w, b = t.params["weight"][k, 0, 0], t.params["bias"][k, 0, 0]
        r = X[batch] @ w + b - y[batch]
        assert t.loss[k, 0] == pytest.approx(0.5 * np.mean(r * r), rel=1e-13)
        assert t.objective[k, 0] == pytest.approx(0.5 * np.mean(r * r) + 1.5 * w @ w, rel=1e-13)
        assert np.allclose(t.gradients["weight"][k, 0, 0], X[batch].T @ r / len(r) + 3 * w, rtol=1e-12)
        assert t.gradients["bias"][k, 0, 0] == pytest.approx(np.mean(r), rel=1e-11)
        assert t.norm[k, 0] == pytest.approx(np.sqrt(w @ w), rel=1e-14)
        buffer = t.state["weight"]["momentum_buffer"][k, 0]
        assert np.allclose(t.params["weight"][k + 1, 0], t.params["weight"][k, 0] - 0.01 * buffer, rtol=1e-13)
    for epoch in range(4):
        w, b = t.params["weight"][3 * epoch, 0, 0], t.params["bias"][3 * epoch, 0, 0]
        for which in ("", "_validation"):
            r = t.inputs[f"X{which}"][0] @ w + b - t.inputs[f"y{which}"][0, :, 0]
            recorded = t.validation_loss if which else t.train_loss
            assert recorded[epoch, 0] == pytest.approx(0.5 * np.mean(r * r), rel=1e-13)


@pytest.mark.parametrize("formulation", ["loss", "weight_decay", "manual"])
def test_a_trajectory_has_the_shapes_of_the_references(formulation: Any, bench: Any) -> None:
    experiment = bench.experiment(optimizer=SGD(lr=0.01, momentum=0.9))
    torchs, ours = bench.torch(experiment, formulation=formulation), run_reference(experiment, formulation)
    for part in ("params", "gradients"):
        assert {k: v.shape for k, v in getattr(torchs, part).items()} == {
            k: v.shape for k, v in getattr(ours, part).items()
        }
    assert {n: {k: v.shape for k, v in s.items()} for n, s in torchs.state.items()} == {
        n: {k: v.shape for k, v in s.items()} for n, s in ours.state.items()
    }
    for part in ("loss", "objective", "norm", "train_loss", "validation_loss"):
        assert getattr(torchs, part).shape == getattr(ours, part).shape
        assert np.allclose(getattr(torchs, part), getattr(ours, part), rtol=1e-10)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_recorded_number_is_one_of_the_dtype(dtype: str, bench: Any) -> None:
    t = bench.torch(bench.experiment(optimizer=SGD(lr=0.01, momentum=0.9)), dtype=dtype)
    arrays = [*t.params.values(), *t.gradients.values(), *t.inputs.values(), t.loss, t.norm, t.train_loss]
    arrays += [values for states in t.state.values() for values in states.values()]
    for values in arrays:
        assert values.dtype == np.float64
        assert np.array_equal(FORMATS[dtype].round(values), values)
    assert set(t.formats.values()) == {dtype}
    assert set(t.formats) == {"weight", "bias", "weight/momentum_buffer", "bias/momentum_buffer"}
    assert t.meta["versions"]["torch"] == torch.__version__ and t.meta["dtype"] == dtype
    assert t.side_effects == ()


def test_torchs_own_schedulers_are_used(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, dict[str, Any]]] = []

    def spy(name: str, original: Any) -> Any:
        def make(optimizer: Any, **options: Any) -> Any:
            made.append((name, options))
            return original(optimizer, **options)

        return make

    for name in ("StepLR", "ExponentialLR"):
        monkeypatch.setattr(torch.optim.lr_scheduler, name, spy(name, getattr(torch.optim.lr_scheduler, name)))
    bench.torch(bench.experiment(schedule=Step(step_size=2, gamma=0.5)))
    bench.torch(bench.experiment(schedule=Exponential(gamma=0.9, per="step")))
    bench.torch(bench.experiment())
    assert made == [("StepLR", {"step_size": 2, "gamma": 0.5}), ("ExponentialLR", {"gamma": 0.9})]


@pytest.mark.parametrize("implementation", ["for-loop", "foreach", "fused"])
def test_the_implementation_that_is_asked_for_is_the_one_that_runs(
    implementation: str, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = {"for-loop": "_single_tensor_sgd", "foreach": "_multi_tensor_sgd", "fused": "_fused_sgd"}
    called, module = [], sys.modules[torch.optim.SGD.__module__]
    for name, kernel in kernels.items():
        original = getattr(module, kernel)

        def spy(*words: Any, name: str = name, original: Any = original, **options: Any) -> Any:
            called.append(name)
            return original(*words, **options)

        monkeypatch.setattr(module, kernel, spy)
    bench.torch(bench.experiment(), implementation=implementation)
    assert set(called) == {implementation}


def test_parameters_with_equal_options_share_a_group_and_others_do_not(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[list[tuple[int, float]]] = []
    original = torch.optim.SGD.__init__

    def spy(self: Any, params: Any, **options: Any) -> None:
        groups.append([(len(group["params"]), group["weight_decay"]) for group in params])
        original(self, params, **options)

    monkeypatch.setattr(torch.optim.SGD, "__init__", spy)
    bench.torch(bench.experiment(), formulation="loss")
    bench.torch(bench.experiment(), formulation="weight_decay")
    assert groups == [[(2, 0.0)], [(1, 3.0), (1, 0.0)]]


def test_a_penalty_of_strength_zero_is_no_error(bench: Any) -> None:
    for penalty in (L2(strength=0.0), L1(strength=0.0)):
        for formulation in ("loss", "manual"):
            trajectory = bench.torch(bench.experiment(penalties=(penalty,)), formulation=formulation)
            assert np.array_equal(trajectory.objective, trajectory.loss)


def test_a_run_is_the_same_each_time(bench: Any) -> None:
    experiment = bench.experiment(batches=Batches(size=5))
    first, second = (bench.torch(experiment, dtype="float32") for _ in range(2))
    assert np.array_equal(first.params["weight"], second.params["weight"])


# -- devices ---------------------------------------------------------------------------------------------------------


def test_the_cpu_is_always_there() -> None:
    assert TorchBackend().devices()[0] == "cpu"
    TorchBackend().check_device("cpu")


@pytest.mark.parametrize("device", ["toaster", "meta", "cuda:97", ""])
def test_a_device_without_numbers_is_an_input_error_that_says_what_there_is(device: str) -> None:
    with pytest.raises(InputError, match=f"device {device}: torch cannot use it .*; available here: cpu"):
        TorchBackend().check_device(device)


def test_tf32_is_set_and_restored() -> None:
    before = torch.get_float32_matmul_precision()
    for on in (True, False):
        with tf32(on):
            pass
        assert torch.get_float32_matmul_precision() == before
        with pytest.raises(ZeroDivisionError), tf32(on):
            raise ZeroDivisionError
        assert torch.get_float32_matmul_precision() == before


# -- the declared arithmetic -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_sums_accumulate_in_is_measured(dtype: str) -> None:
    setting = Setting(dtype=dtype)
    found = measured_accumulation(setting, 5, 200)
    assert found == dtype if dtype in ("float64", "float32") else found in (dtype, "float32")
    assert measured_accumulation(setting, 5, 200) == found
    declared = profiles(setting, rows=[5, 2], layers=[(1, 200)])
    assert set(declared) == {"loss", "update"}
    assert declared["loss"]["compute"] == declared["update"]["compute"] == dtype


def test_sums_that_round_to_the_dtype_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix product whose every partial sum is rounded to bfloat16 is not taken for one in float32."""
    product = torch.Tensor.__matmul__

    def rounded(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        if a.dtype != torch.bfloat16:
            return product(a, b)
        total = torch.zeros((a.shape[0], b.shape[1]), dtype=torch.bfloat16)
        for k in range(a.shape[1]):
            total = total + a[:, k : k + 1] * b[k : k + 1]
        return total

    assert measured_accumulation(Setting(dtype="bfloat16"), 5, 50) == "float32"
    monkeypatch.setattr(torch.Tensor, "__matmul__", rounded)
    assert measured_accumulation(Setting(dtype="bfloat16"), 5, 50) == "bfloat16"


def test_low_precision_is_read_back_exactly() -> None:
    tensor = torch.tensor([1.0, 1 + 2.0**-7, 3.0e38], dtype=torch.bfloat16)
    assert exactly(tensor).tolist() == [float(number) for number in tensor]


def test_fused_low_precision_declares_float32_on_an_accelerator_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.backends.torch_arithmetic.measured_accumulation", lambda *_: "float32")
    update = {
        device: profiles(Setting(dtype="bfloat16", device=device, implementation="fused"), rows=[5], layers=[(1, 9)])[
            "update"
        ]
        for device in ("cpu", "cuda")
    }
    assert (update["cpu"]["compute"], update["cuda"]["compute"]) == ("bfloat16", "float32")
    operands = {
        device: profiles(Setting(dtype="float32", device=device, tf32=True), rows=[5], layers=[(1, 9)])["loss"][
            "operands"
        ]
        for device in ("cpu", "cuda")
    }
    assert operands == {"cpu": None, "cuda": "tf32"}
