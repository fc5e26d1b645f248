"""What is convention rather than calculus, kinks, ignored rows and numbers beyond range, is as in torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.errors import ParameterError
from refimpl.layers import (
    GELU,
    Absolute,
    Attention,
    BatchNorm,
    BCEWithLogits,
    Convolution,
    CrossEntropy,
    Dropout,
    Huber,
    LayerNorm,
    ReLU,
    RMSNorm,
)
from tests.refimpl.layers.case import backward, forward, in_torch
from tests.refimpl.layers.cases import draw
from tests.refimpl.layers.test_layers import in_bounds, upstream_of

functional = torch.nn.functional
FLOAT32 = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"])


def gradient_of(function: Any, x: Any) -> Any:
    leaf = torch.tensor(x, requires_grad=True)
    function(leaf).sum().backward()
    assert leaf.grad is not None
    return leaf.grad.numpy()


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("layer", "function", "beside"),
    [
        (ReLU(), functional.relu, ()),
        (Absolute(reduction="sum"), lambda z: functional.l1_loss(z, torch.zeros_like(z), reduction="sum"), (0.0,)),
        (
            Huber(delta=1.0, reduction="sum"),
            lambda z: functional.huber_loss(z, torch.zeros_like(z), reduction="sum"),
            (0.0,),
        ),
    ],
    ids=["relu", "absolute", "huber"],
)
def test_at_a_kink_the_slope_is_that_of_torch(layer: Any, function: Any, beside: Any) -> None:
    x = np.array([-1.0, -0.0, 0.0, 1.0, 1.5])
    inputs = (x, np.zeros(5)) if beside else x
    by_x = layer.backward({}, inputs, np.ones(()) if beside else np.ones(5))[0]
    np.testing.assert_array_equal(by_x[0] if beside else by_x, gradient_of(function, x))


def test_where_rounding_decides_a_kink_both_slopes_are_within_the_bound() -> None:
    near: Any = Bounded(np.array([1e-9, 1.0]), 1e-8, FLOAT32)
    delta: Any = Bounded.tensor(np.array([3.0, 3.0]), FLOAT32)
    relu: Any = ReLU().backward({}, near, delta)[0]
    assert relu.error[0] >= 3 and relu.error[1] == 0
    absolute: Any = Absolute(reduction="none").backward({}, (near, np.zeros(2)), delta)[0][0]
    assert absolute.error[0] >= 6 and absolute.error[1] < 1e-5
    huber: Any = Huber(reduction="none").backward({}, (near + 1, np.zeros(2)), delta)[0][0]
    assert huber.error[0] < 1e-5  # its slope has no jump


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_batch_whose_rows_are_all_ignored_has_no_mean_and_the_gradient_zero(weighted: bool, smoothing: float) -> None:
    z, classes = np.random.default_rng(0).standard_normal((3, 4)), np.full(3, -100)
    params = {"weight": np.arange(1.0, 5)} if weighted else {}
    weight = torch.tensor(params["weight"]) if weighted else None
    for reduction in ("mean", "sum", "none"):
        layer = CrossEntropy(reduction=reduction, label_smoothing=smoothing)  # type: ignore[arg-type]
        leaf = torch.tensor(z, requires_grad=True)
        value = functional.cross_entropy(
            leaf, torch.tensor(classes), weight, reduction=reduction, label_smoothing=smoothing
        )
        np.testing.assert_array_equal(layer.forward(params, (z, classes)), value.detach().numpy())
        upstream = np.ones(3) if reduction == "none" else np.ones(())
        if reduction != "mean":
            value.sum().backward()  # type: ignore[no-untyped-call]
            assert leaf.grad is not None and not leaf.grad.any()
        assert not layer.backward(params, (z, classes), upstream)[0][0].any()


def test_large_outputs_overflow_in_no_loss_and_no_activation() -> None:
    z = np.array([[-1e4, 1e4, 3.0], [0.0, 2e4, -1e4]])
    value = BCEWithLogits().forward({}, (z, np.array([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]])))
    assert 0 < value < 1
    assert CrossEntropy().forward({}, (z, np.array([1, 1]))) == 0
    for form in ("none", "tanh"):
        assert GELU(approximate=form).backward({}, z, np.ones(z.shape))[0].ravel().tolist()[:2] == [0, 1]  # type: ignore[arg-type]


def test_a_query_that_sees_no_key_has_zeros_only() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 2, 4))
    mask = np.array([[False, False], [True, True]])
    layer = Attention(mask=mask)
    Q, K, V = x
    assert not layer.forward({}, (Q, K, V))[0].any()
    (of_Q, _, of_V), _ = layer.backward({}, (Q, K, V), np.array([[1.0] * 4, [0.0] * 4]))
    assert not of_Q.any() and not of_V.any()


def test_running_statistics_are_those_of_torch() -> None:
    rng = np.random.default_rng(0)
    for momentum in (0.1, None):
        module = torch.nn.BatchNorm2d(3, momentum=momentum, dtype=torch.float64)
        layer = BatchNorm(momentum=momentum)
        for _ in range(3):
            x = rng.standard_normal((2, 3, 4, 2)) + 1
            before = {name: buffer.numpy().copy() for name, buffer in module.named_buffers()}
            module(torch.tensor(x))
            for name, running in layer.running(before, x).items():
                np.testing.assert_allclose(running, dict(module.named_buffers())[name].numpy(), rtol=1e-14)


def test_a_mask_of_dropout_is_data_and_evaluation_has_none() -> None:
    x, delta = np.array([2.0, 4.0]), np.array([1.0, 8.0])
    layer = Dropout(p=0.5, mask=np.array([0, 1]))
    assert layer.forward({}, x).tolist() == [0, 8] and layer.backward({}, x, delta)[0].tolist() == [0, 16]
    assert Dropout(p=0.5).forward({}, x).tolist() == [2, 4]
    assert Dropout(p=1.0, mask=np.zeros(2)).forward({}, x).tolist() == [0, 0]


@pytest.mark.every_case
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GELU(approximate="tan"), "approximate: given 'tan'; allowed: 'none', 'tanh'; did you mean 'tanh'?"),  # type: ignore[arg-type]
        (
            lambda: LayerNorm(normalized_shape=(2,), eps=-1.0),
            "eps: given -1.0; allowed: a finite number ≥ 0; change eps",
        ),
        (lambda: RMSNorm(normalized_shape=(2,), eps=True), "eps: given True; allowed: a finite number ≥ 0; change eps"),
        (lambda: Dropout(p=1.5), "p: given 1.5; allowed: a number from 0 to 1; change p"),
        (lambda: Convolution(groups=0), "groups: given 0; allowed: an integer ≥ 1; change groups"),
        (
            lambda: CrossEntropy(reduction="average"),  # type: ignore[arg-type]
            "reduction: given 'average'; allowed: 'mean', 'sum', 'none'; choose one of them",
        ),
    ],
    ids=["gelu", "layer norm", "rms norm", "dropout", "convolution", "cross-entropy"],
)
def test_an_option_that_does_not_exist_is_refused_with_what_is_allowed(make: Any, message: str) -> None:
    with pytest.raises(ParameterError) as refused:
        make()
    assert str(refused.value) == message


@pytest.mark.parametrize("label", ["wide linear", "linear", "convolution", "convolution of groups"])
def test_under_autocast_operands_are_rounded_first_and_torch_is_within_that_bound(label: str) -> None:
    profile = Profile(compute=FORMATS["bfloat16"], accumulate=FORMATS["float32"], operands=FORMATS["bfloat16"])
    unaware, outside = Profile(compute=FORMATS["bfloat16"], accumulate=FORMATS["float32"]), 0
    for seed in range(12):
        case = draw(label, seed, "float32")
        if "bias" in case.params:  # so large that its own rounding is what is seen
            case = replace(case, params={**case.params, "bias": 100 * case.params["bias"]})
        delta = upstream_of(case, seed, "bfloat16")
        with torch.autocast("cpu", torch.bfloat16):
            output, gradients = in_torch(case, delta, "float32")
        for name, found in {"output": output, **gradients}.items():
            bounds = {}
            for how in (profile, unaware):
                bounded = in_bounds(case, how)
                by_hand: Any = {"output": forward(bounded), **backward(bounded, Bounded.tensor(delta, how))}
                bounds[how] = np.abs(found - by_hand[name].value) - by_hand[name].error
            assert np.all(bounds[profile] <= 0), (name, seed)
            outside += np.any(bounds[unaware] > 0)
    assert outside
