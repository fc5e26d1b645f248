"""A gradient with an error that people make is outside of the bounds of float32, in some element at least."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import special

from refimpl.arithmetic.bounded import Bounded
from refimpl.layers import BatchNorm
from tests.refimpl.layers.case import Case, backward
from tests.refimpl.layers.cases import draw
from tests.refimpl.layers.test_layers import in_bounds, profile_of, upstream_of

Array = npt.NDArray[Any]


def layer_norm_without(term: str) -> Any:
    def gradient(case: Case, delta: Array) -> Array:
        x = case.x
        mu = x.mean(axis=-1, keepdims=True)
        r = 1 / np.sqrt(((x - mu) ** 2).mean(axis=-1, keepdims=True) + case.layer.eps)
        g, normed = delta * case.params["weight"], (x - mu) * r
        shift, scale = g.mean(axis=-1, keepdims=True), normed * (g * normed).mean(axis=-1, keepdims=True)
        return r * (g - (0 if term == "shift" else shift) - (0 if term == "scale" else scale))  # type: ignore[no-any-return]

    return gradient


def rms_norm_without_its_sum(case: Case, delta: Array) -> Array:
    q = (case.x**2).mean(axis=-1, keepdims=True)
    return delta * case.params["weight"] / np.sqrt(q + case.layer.eps)  # type: ignore[no-any-return]


def batch_norm_of_fixed_statistics(case: Case, delta: Array) -> Array:
    """As if mean and variance of the batch were numbers that do not depend on x."""
    running = {"running_mean": case.x.mean(axis=0), "running_var": case.x.var(axis=0)}
    by_x, _ = BatchNorm(training=False).backward(case.params | running, case.x, delta)
    return by_x


def softmax_without_its_sum(case: Case, delta: Array) -> Array:
    return special.softmax(case.x, axis=-1) * delta  # type: ignore[no-any-return]


def changed_layer(name: str, **options: Any) -> Any:
    return lambda case, delta: backward(replace(case, layer=replace(case.layer, **options)), delta)[name]


def scaled(name: str, factor: float) -> Any:
    return lambda case, delta: factor * backward(case, delta)[name]


def without(name: str, buffer: str) -> Any:
    """As if a weight of the loss were not given."""
    return lambda case, delta: backward(
        replace(case, params={key: value for key, value in case.params.items() if key != buffer}), delta
    )[name]


def divided_by_rows(case: Case, delta: Array) -> Array:
    """By the number of rows that are not ignored, where it is the sum of their weights."""
    sums = replace(case, layer=replace(case.layer, reduction="sum"))
    return backward(sums, delta)["x0"] / np.sum(case.x[1] != case.layer.ignore_index)  # type: ignore[no-any-return]


FAULTS: dict[str, tuple[str, str, Any]] = {
    "the mean over the rows in the place of their sum": ("wide linear", "weight", scaled("weight", 1 / 12)),
    "inputs by the weights of another output": (
        "wide linear",
        "x0",
        lambda case, delta: delta[:, ::-1] @ case.params["weight"],
    ),
    "one row left out of a bias": ("bias", "bias", lambda _, delta: delta.reshape(-1, 4)[1:].sum(axis=0)),
    "half of a residual sum": ("residual", "x0", scaled("x0", 0.5)),
    "a rectifier whose slope is 1": ("relu", "x0", lambda _, delta: delta),
    "the slope of the other gelu": ("gelu", "x0", changed_layer("x0", approximate="tanh")),
    "a silu whose gate has no slope": ("silu", "x0", lambda case, delta: delta * special.expit(case.x)),
    "a tanh without the square": ("tanh", "x0", lambda case, delta: delta * (1 - np.tanh(case.x))),
    "a softmax without its sum": ("softmax", "x0", softmax_without_its_sum),
    "a layer norm without the mean of g": ("layer norm", "x0", layer_norm_without("shift")),
    "a layer norm without the mean of g x̂": ("layer norm", "x0", layer_norm_without("scale")),
    "a layer norm with another eps": ("layer norm", "x0", changed_layer("x0", eps=1e-3)),
    "an rms norm without its sum": ("rms norm", "x0", rms_norm_without_its_sum),
    "a batch norm of fixed statistics": ("batch norm", "x0", batch_norm_of_fixed_statistics),
    "a convolution whose kernel is one place off": (
        "convolution of groups",
        "weight",
        lambda case, delta: np.roll(backward(case, delta)["weight"], 1, axis=-1),
    ),
    "a kernel that was not turned round": (
        "convolution",
        "x0",
        lambda case, delta: backward(
            replace(case, params={**case.params, "weight": case.params["weight"][:, :, ::-1]}), delta
        )["x0"],
    ),
    "a row of padding that is trained": ("embedding with padding", "weight", changed_layer("weight", padding_idx=None)),
    "an embedding not divided by frequency": (
        "embedding by frequency",
        "weight",
        changed_layer("weight", scale_grad_by_freq=False),
    ),
    "dropout without 1/(1 − p)": ("dropout", "x0", scaled("x0", 0.75)),
    "attention without its scale": ("attention", "x1", changed_layer("x1", scale=1.0)),
    "attention without its mask": ("causal attention", "x2", changed_layer("x2", causal=False)),
    "attention without its dropout": ("attention with dropout", "x0", changed_layer("x0", kept=None)),
    "a cross-entropy that is no mean": ("cross-entropy", "x0", changed_layer("x0", reduction="sum")),
    "a cross-entropy whose weights are not in N": ("weighted cross-entropy", "x0", divided_by_rows),
    "another smoothing": (
        "smoothed cross-entropy",
        "x0",
        changed_layer("x0", label_smoothing=0.1 * 5 / 4),
    ),
    "a row that is not ignored": ("smoothed cross-entropy", "x0", changed_layer("x0", ignore_index=-100)),
    "a squared error without its 2": ("squared error, sum", "x0", scaled("x0", 0.5)),
    "an absolute error that is no mean": ("absolute error, mean", "x0", changed_layer("x0", reduction="sum")),
    "huber's loss cut off elsewhere": ("huber", "x0", changed_layer("x0", delta=1.0)),
    "a weight of positives left out": ("weighted bce", "x0", without("x0", "pos_weight")),
    "weights left out": ("weighted bce", "x0", without("x0", "weight")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_outside_of_the_bounds(fault: str) -> None:
    label, name, wrong = FAULTS[fault]
    profile, case = profile_of("float32"), draw(label, 1, "float32")
    delta = upstream_of(case, 1, "float32")
    right: Any = backward(in_bounds(case, profile), Bounded.tensor(delta, profile))[name]
    assert np.all(np.abs(backward(case, delta)[name] - right.value) <= right.error)
    gradient = wrong(case, delta)
    assert gradient.shape == right.shape
    assert np.any(np.abs(gradient - right.value) > right.error)
