"""Cases of every layer that has outputs, with numbers drawn for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from refimpl.layers import (
    GELU,
    Attention,
    BatchNorm,
    Bias,
    Convolution,
    Dropout,
    Embedding,
    LayerNorm,
    Linear,
    ReLU,
    Residual,
    RMSNorm,
    SiLU,
    Softmax,
    Tanh,
)
from tests.refimpl.layers.case import Case

functional = torch.nn.functional


def linear(rng: np.random.Generator) -> Case:
    lead = tuple(rng.integers(1, 5, rng.integers(1, 3)))
    inputs, outputs = map(int, rng.integers(1, 7, 2))
    params = {"weight": rng.standard_normal((outputs, inputs)), "bias": rng.standard_normal(outputs)}
    return Case(
        layer=Linear(),
        params=params,
        x=rng.standard_normal((*lead, inputs)),
        torch=lambda x, weight, bias: functional.linear(x, weight, bias),
        rational=True,
    )


def wide_linear(rng: np.random.Generator) -> Case:
    return Case(
        layer=Linear(bias=False),
        params={"weight": rng.standard_normal((3, 40))},
        x=rng.standard_normal((12, 40)),
        torch=lambda x, weight: functional.linear(x, weight),
        rational=True,
    )


def linear_with_a_large_bias(rng: np.random.Generator) -> Case:
    return replace(
        linear(rng),
        params={"weight": rng.standard_normal((40, 9)), "bias": 10 * rng.standard_normal(40)},
        x=rng.standard_normal((20, 9)),
        rational=False,
    )


def bias(rng: np.random.Generator) -> Case:
    return Case(
        layer=Bias(),
        params={"bias": rng.standard_normal(4)},
        x=rng.standard_normal((3, 2, 4)),
        torch=lambda x, bias: x + bias,
        rational=True,
    )


def bias_of_channels(rng: np.random.Generator) -> Case:
    return Case(
        layer=Bias(axis=1),
        params={"bias": rng.standard_normal(2)},
        x=rng.standard_normal((3, 2, 4, 3)),
        torch=lambda x, bias: x + bias[:, None, None],
        rational=True,
    )


def residual(rng: np.random.Generator) -> Case:
    return Case(
        layer=Residual(),
        x=tuple(rng.standard_normal((2, 3, 4))),
        torch=lambda x, f: x + f,
        rational=True,
    )


def elementwise(layer: Any, function: Callable[[Any], Any], **what: Any) -> Callable[[np.random.Generator], Case]:
    def make(rng: np.random.Generator) -> Case:
        return Case(layer=layer, x=rng.uniform(0.1, 4) * rng.standard_normal((3, 17)), torch=function, **what)

    return make


def convolution(
    places: tuple[int, ...],
    kernel: tuple[int, ...],
    channels: tuple[int, int] = (2, 3),
    large: float = 1.0,
    **options: Any,
) -> Any:
    def make(rng: np.random.Generator) -> Case:
        layer, rows = Convolution(**options), int(rng.integers(1, 3))
        params = {"weight": rng.standard_normal((channels[1], channels[0] // layer.groups, *kernel))}
        if layer.bias:
            params["bias"] = large * rng.standard_normal(channels[1])
        function = (functional.conv1d, functional.conv2d, functional.conv3d)[len(kernel) - 1]
        return Case(
            layer=layer,
            params=params,
            x=rng.standard_normal((rows, channels[0], *places)),
            torch=lambda x, weight, bias=None: function(
                x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups
            ),
            rational=large == 1,
        )

    return make


def embedding(sparse: bool = False, **options: Any) -> Any:
    def make(rng: np.random.Generator) -> Case:
        layer = Embedding(**options)
        x = rng.integers(0, 5, (3, 4))
        x[0, :2] = 3  # the row of the padding
        return Case(
            layer=layer,
            params={"weight": rng.standard_normal((7, 2))},
            x=x,
            torch=lambda x, weight: functional.embedding(
                x, weight, layer.padding_idx, scale_grad_by_freq=layer.scale_grad_by_freq, sparse=sparse
            ),
            rational=layer.padding_idx is None and not layer.scale_grad_by_freq,
            slopes=layer.padding_idx is None and not layer.scale_grad_by_freq,
        )

    return make


def dropout(p: float, kept: float) -> Any:
    def make(rng: np.random.Generator) -> Case:
        mask = (rng.random((4, 6)) < kept).astype(int)
        scaled = torch.tensor(mask, dtype=torch.float64) * (0 if p == 1 else 1 / (1 - p))
        return Case(
            layer=Dropout(p=p, mask=mask),
            x=rng.standard_normal((4, 6)),
            torch=lambda x: x * scaled.to(x.dtype),
            rational=True,
        )

    return make


def layer_norm(shape: tuple[int, ...] = (7,), mean: float = 0.3, **options: Any) -> Any:
    def make(rng: np.random.Generator) -> Case:
        layer = LayerNorm(normalized_shape=shape, **options)
        params = {"weight": rng.standard_normal(shape), "bias": rng.standard_normal(shape)}
        if not layer.elementwise_affine:
            params = {}
        elif not layer.bias:
            del params["bias"]
        return Case(
            layer=layer,
            params=params,
            x=rng.uniform(0.3, 3) * rng.standard_normal((2, 3, *shape)) + mean,
            torch=lambda x, weight=None, bias=None: functional.layer_norm(x, shape, weight, bias, layer.eps),
            cancels=mean > 1,
        )

    return make


def rms_norm(shape: tuple[int, ...] = (7,), **options: Any) -> Any:
    def make(rng: np.random.Generator) -> Case:
        layer = RMSNorm(normalized_shape=shape, **options)
        params = {"weight": rng.standard_normal(shape)} if layer.elementwise_affine else {}
        return Case(
            layer=layer,
            params=params,
            x=rng.uniform(0.3, 3) * rng.standard_normal((2, 3, *shape)) + 0.3,
            torch=lambda x, weight=None: functional.rms_norm(x, shape, weight, layer.eps),
            floats=layer.eps is None,
        )

    return make


def batch_norm(shape: tuple[int, ...] = (6, 3), mean: float = 0.3, **options: Any) -> Any:
    def make(rng: np.random.Generator) -> Case:
        layer, channels = BatchNorm(**options), shape[1]
        params = {"weight": rng.standard_normal(channels), "bias": rng.standard_normal(channels)}
        running = {"running_mean": rng.standard_normal(channels), "running_var": rng.uniform(0.3, 3, channels)}
        return Case(
            layer=layer,
            params=(params if layer.affine else {}) | ({} if layer.training else running),
            x=rng.uniform(0.3, 3) * rng.standard_normal(shape) + mean,
            torch=lambda x, weight=None, bias=None, running_mean=None, running_var=None: functional.batch_norm(
                x, running_mean, running_var, weight, bias, layer.training, eps=layer.eps
            ),
            fixed=("running_mean", "running_var"),
            cancels=mean > 1,
        )

    return make


def softmax(dim: int) -> Any:
    def make(rng: np.random.Generator) -> Case:
        x = rng.uniform(0.1, 8) * rng.standard_normal((3, 6, 5))
        return Case(layer=Softmax(dim=dim), x=x, torch=lambda x: torch.softmax(x, dim))

    return make


def attention(how: str = "", **options: Any) -> Any:
    """``how``: what else there is, ``hidden`` keys, ``added`` masks, ``blind`` queries or ``dropped`` weights."""

    def make(rng: np.random.Generator) -> Case:
        heads, queries, keys, e, values = 2, 4, 4, 3, 3
        mask, kept = None, None
        if how in ("hidden", "blind"):
            mask = rng.random((queries, keys)) < 0.6
            mask[:, 0] = True
        if how == "blind":
            mask[1] = False
        if how == "added":
            mask = np.rint(8 * rng.standard_normal((queries, keys))) / 8
            mask[2, 1] = -np.inf
        if how == "dropped":
            kept = (rng.random((heads, queries, keys)) < 0.75).astype(int)
        layer = Attention(mask=mask, kept=kept, dropout=0.25 if how == "dropped" else 0.0, **options)

        def function(Q: Any, K: Any, V: Any) -> Any:
            if kept is not None:
                wide = torch.promote_types(Q.dtype, torch.float32)  # as torch's own form in separate operations
                P = torch.softmax(Q.to(wide) @ K.to(wide).mT / e**0.5, -1)
                return ((P * (torch.tensor(kept).to(wide) / 0.75)) @ V.to(wide)).to(Q.dtype)
            seen = None if mask is None else torch.tensor(mask)
            if seen is not None and seen.dtype != torch.bool:
                seen = seen.to(Q.dtype)
            return functional.scaled_dot_product_attention(
                Q, K, V, attn_mask=seen, is_causal=layer.causal, scale=layer.scale
            )

        Q, K, V = (
            rng.standard_normal((heads, length, width)) for length, width in ((queries, e), (keys, e), (keys, values))
        )
        return Case(layer=layer, x=(2 * Q, K, V), torch=function)

    return make


LAYER_CASES: dict[str, dict[str, Callable[[np.random.Generator], Case]]] = {
    "linear": {"linear": linear, "wide linear": wide_linear, "linear with a large bias": linear_with_a_large_bias},
    "convolution": {
        "convolution": convolution((5, 4), (3, 2)),
        "strided convolution": convolution((7,), (2,), (2, 3), stride=3, bias=False),
        "convolution of groups": convolution((4, 3), (2, 3), (4, 6), groups=2, stride=(2, 1), padding=(1, 2)),
        "dilated convolution": convolution((5, 4), (3, 2), (2, 2), groups=2, dilation=(2, 3), padding=2, stride=2),
        "convolution of volumes": convolution((3, 3, 2), (2, 1, 2), padding=(0, 1, 1)),
        "depthwise convolution with a large bias": convolution((8, 8), (3, 3), (8, 8), groups=8, large=10.0),
        "convolution of one place": convolution((1, 1), (1, 1)),
    },
    "embedding": {
        "embedding": embedding(),
        "embedding with padding": embedding(padding_idx=3),
        "embedding with padding from the end": embedding(padding_idx=-4, sparse=True),
        "embedding by frequency": embedding(scale_grad_by_freq=True),
    },
    "dropout": {"dropout": dropout(0.25, 0.75), "dropout of all": dropout(1.0, 0.0), "no dropout": dropout(0.5, 1.0)},
    "bias": {"bias": bias, "bias of channels": bias_of_channels},
    "residual": {"residual": residual},
    "relu": {"relu": elementwise(ReLU(), functional.relu, rational=True)},
    "gelu": {
        "gelu": elementwise(GELU(), functional.gelu, smooth=False),
        "gelu with tanh": elementwise(GELU(approximate="tanh"), lambda x: functional.gelu(x, approximate="tanh")),
    },
    "silu": {"silu": elementwise(SiLU(), functional.silu)},
    "tanh": {"tanh": elementwise(Tanh(), torch.tanh)},
    "softmax": {"softmax": softmax(-1), "softmax of channels": softmax(1)},
    "layer_norm": {
        "layer norm": layer_norm(),
        "layer norm of images": layer_norm((2, 3, 4), eps=0.01),
        "layer norm far from 0": layer_norm(mean=30.0),
        "layer norm without bias": layer_norm(bias=False),
        "plain layer norm": layer_norm(elementwise_affine=False),
        "layer norm of one number": layer_norm((1,), eps=0.5),
    },
    "rms_norm": {
        "rms norm": rms_norm(eps=1e-6),
        "rms norm with the machine epsilon": rms_norm(),
        "rms norm with eps": rms_norm((2, 3), eps=0.01),
        "plain rms norm": rms_norm(eps=1e-6, elementwise_affine=False),
    },
    "batch_norm": {
        "batch norm": batch_norm(),
        "batch norm of images": batch_norm((2, 3, 4, 2), eps=0.01),
        "batch norm far from 0": batch_norm(mean=30.0),
        "plain batch norm": batch_norm(affine=False),
        "batch norm in evaluation": batch_norm((2, 3, 4), training=False),
    },
    "attention": {
        "attention": attention(),
        "attention with a scale": attention(scale=0.25),
        "causal attention": attention(causal=True),
        "attention with hidden keys": attention("hidden"),
        "attention with an added mask": attention("added"),
        "attention with a blind query": attention("blind"),
        "attention with dropout": attention("dropped"),
    },
}
