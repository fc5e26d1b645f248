"""Each layer with numbers to run it on, and the same in torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from refimpl.arithmetic.formats import FORMATS
from refimpl.layers import (
    GELU,
    Absolute,
    Attention,
    BatchNorm,
    BCEWithLogits,
    Bias,
    Convolution,
    CrossEntropy,
    Dropout,
    Embedding,
    Huber,
    LayerNorm,
    Linear,
    ReLU,
    Residual,
    RMSNorm,
    SiLU,
    Softmax,
    SquaredError,
    Tanh,
)

Array = npt.NDArray[Any]
functional = torch.nn.functional
REDUCTIONS: Any = ["mean", "sum", "none"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """``layer`` with parameters and an input, or a tuple of several; ``torch`` is the same function of tensors.

    Arrays of integers have no gradient, nor have those that ``fixed`` names. ``smooth``: complex numbers can
    run through it. ``rational``: a polynomial of degree 2 at most in every number, without roots. ``slopes``: the
    gradients are the slopes of the output, not other numbers by convention. ``floats``: only
    floating-point numbers can. ``cancels``: the numbers are such that a bound that holds for all forms is wide.
    """

    layer: Any
    x: Any
    torch: Callable[..., Any]
    params: dict[str, Array] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    smooth: bool = True
    rational: bool = False
    slopes: bool = True
    floats: bool = False
    cancels: bool = False


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
    places: tuple[int, ...], kernel: tuple[int, ...], channels: tuple[int, int] = (2, 3), **options: Any
) -> Any:
    def make(rng: np.random.Generator) -> Case:
        layer, rows = Convolution(**options), int(rng.integers(1, 3))
        params = {"weight": rng.standard_normal((channels[1], channels[0] // layer.groups, *kernel))}
        if layer.bias:
            params["bias"] = rng.standard_normal(channels[1])
        function = (functional.conv1d, functional.conv2d, functional.conv3d)[len(kernel) - 1]
        return Case(
            layer=layer,
            params=params,
            x=rng.standard_normal((rows, channels[0], *places)),
            torch=lambda x, weight, bias=None: function(
                x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups
            ),
            rational=True,
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


def cross_entropy(how: str = "", places: tuple[int, ...] = (), **options: Any) -> Any:
    """``how``: ``weighted``, ``ignored`` rows, or both; ``nothing`` is a batch whose rows are all ignored."""

    def make(rng: np.random.Generator) -> Case:
        layer, n, k = CrossEntropy(**options), int(rng.integers(1, 6)), 5
        classes = rng.integers(0, k, (n, *places))
        if "ignored" in how:
            classes[rng.random(classes.shape) < 0.4] = layer.ignore_index
            classes.flat[0] = 1
        return Case(
            layer=layer,
            params={"weight": rng.uniform(0.2, 2, k)} if "weighted" in how else {},
            x=(rng.uniform(0.1, 6) * rng.standard_normal((n, k, *places)), classes),
            torch=lambda z, y, weight=None: functional.cross_entropy(
                z,
                y,
                weight,
                ignore_index=layer.ignore_index,
                reduction=layer.reduction,
                label_smoothing=layer.label_smoothing,
            ),
            fixed=("weight",),
        )

    return make


def regression(layer: Any, function: Any, **what: Any) -> Any:
    def make(rng: np.random.Generator) -> Case:
        return Case(
            layer=layer,
            x=(2 * rng.standard_normal((3, 4)), rng.standard_normal((3, 4))),
            torch=lambda z, y: function(z, y, reduction=layer.reduction),
            fixed=("x1",),
            **what,
        )

    return make


def huber(**options: Any) -> Any:
    layer = Huber(**options)
    return regression(
        layer,
        lambda z, y, reduction: functional.huber_loss(z, y, reduction=reduction, delta=layer.delta),
        rational=True,
        smooth=False,
    )


def bce_with_logits(*weights: str, scale: float = 2.0, **options: Any) -> Any:
    def make(rng: np.random.Generator) -> Case:
        layer = BCEWithLogits(**options)
        shapes = {"weight": (3, 1), "pos_weight": (4,)}
        y = rng.random((3, 4))
        y[0] = rng.integers(0, 2, 4)
        return Case(
            layer=layer,
            params={name: rng.uniform(0.2, 2, shapes[name]) for name in weights},
            x=(scale * rng.standard_normal((3, 4)), y),
            torch=lambda z, y, weight=None, pos_weight=None: functional.binary_cross_entropy_with_logits(
                z, y, weight, reduction=layer.reduction, pos_weight=pos_weight
            ),
            fixed=("x1", "weight", "pos_weight"),
            smooth=False,
        )

    return make


CASES: dict[str, dict[str, Callable[[np.random.Generator], Case]]] = {
    "linear": {"linear": linear, "wide linear": wide_linear},
    "convolution": {
        "convolution": convolution((5, 4), (3, 2)),
        "strided convolution": convolution((7,), (2,), (2, 3), stride=3, bias=False),
        "convolution of groups": convolution((4, 3), (2, 3), (4, 6), groups=2, stride=(2, 1), padding=(1, 2)),
        "dilated convolution": convolution((5, 4), (3, 2), (2, 2), groups=2, dilation=(2, 3), padding=2, stride=2),
        "convolution of volumes": convolution((3, 3, 2), (2, 1, 2), padding=(0, 1, 1)),
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
    "cross_entropy": {
        "cross-entropy": cross_entropy(),
        "cross-entropy of places": cross_entropy("ignored", (2, 3), reduction="none"),
        "weighted cross-entropy": cross_entropy("weighted ignored", (3,)),
        "smoothed cross-entropy": cross_entropy("ignored", label_smoothing=0.1, reduction="sum", ignore_index=2),
        "smoothed and weighted cross-entropy": cross_entropy("weighted ignored", (2,), label_smoothing=0.25),
    },
    "squared_error": {
        f"squared error, {how}": regression(SquaredError(reduction=how), functional.mse_loss, rational=True)
        for how in REDUCTIONS
    },
    "absolute": {
        f"absolute error, {how}": regression(Absolute(reduction=how), functional.l1_loss, rational=True, smooth=False)
        for how in REDUCTIONS
    },
    "huber": {"huber": huber(delta=0.75), "huber, sum": huber(reduction="sum"), "huber, none": huber(reduction="none")},
    "bce_with_logits": {
        "bce": bce_with_logits(),
        "weighted bce": bce_with_logits("weight", "pos_weight", reduction="sum"),
        "bce of large outputs": bce_with_logits("pos_weight", scale=40.0, reduction="none"),
    },
}
"""By the layer's name in the registry."""
MADE = {label: make for cases in CASES.values() for label, make in cases.items()}


def draw(label: str, seed: int = 0, dtype: str = "float64") -> Case:
    """A case whose numbers are of the format ``dtype``."""
    case = MADE[label](np.random.default_rng(seed))
    return changed(case, lambda x: FORMATS[dtype].round(x).astype(float))


def changed(case: Case, change: Callable[[Array], Any], layer: Callable[[Any], Any] = lambda layer: layer) -> Case:
    """With every array that is not of integers, and the layer's numbers, in another arithmetic."""

    def one(x: Any) -> Any:
        return x if isinstance(x, np.ndarray) and x.dtype.kind in "iub" else change(x)

    return replace(
        case,
        layer=layer(case.layer),
        x=tuple(map(one, case.x)) if isinstance(case.x, tuple) else one(case.x),
        params={name: one(param) for name, param in case.params.items()},
    )


def arrays(case: Case) -> dict[str, Array]:
    """The arrays that have a gradient, inputs as ``x0``, ``x1``, …, then parameters."""
    inputs = case.x if isinstance(case.x, tuple) else (case.x,)
    named = {f"x{i}": x for i, x in enumerate(inputs)} | case.params
    return {
        name: x
        for name, x in named.items()
        if name not in case.fixed and not (isinstance(x, np.ndarray) and x.dtype.kind in "iub")
    }


def backward(case: Case, upstream: Any) -> dict[str, Array]:
    """The gradients by the names of :func:`arrays`."""
    inputs, params = case.layer.backward(case.params, case.x, upstream)
    inputs = inputs if isinstance(case.x, tuple) else (inputs,)
    return {f"x{i}": gradient for i, gradient in enumerate(inputs) if gradient is not None} | params


def forward(case: Case, **replaced: Any) -> Array:
    """The output, with some of :func:`arrays` replaced."""
    inputs = case.x if isinstance(case.x, tuple) else (case.x,)
    inputs = tuple(replaced.get(f"x{i}", x) for i, x in enumerate(inputs))
    params = {name: replaced.get(name, param) for name, param in case.params.items()}
    output: Array = case.layer.forward(params, inputs if isinstance(case.x, tuple) else inputs[0])
    return output


def in_torch(case: Case, upstream: Array | None, dtype: str) -> tuple[Array, dict[str, Array]]:
    """torch's output and gradients, in float64 numbers."""

    def tensor(x: Array) -> torch.Tensor:
        return torch.tensor(x) if x.dtype.kind in "iub" else torch.tensor(x, dtype=getattr(torch, dtype))

    inputs = [tensor(x) for x in (case.x if isinstance(case.x, tuple) else (case.x,))]
    params = {name: tensor(param) for name, param in case.params.items()}
    named = {f"x{i}": x for i, x in enumerate(inputs)} | params
    wanted = {name: named[name].requires_grad_() for name in arrays(case)}
    output = case.torch(*inputs, **params)
    if upstream is None:
        return output.detach().double().numpy(), {}
    found = torch.autograd.grad(output, list(wanted.values()), tensor(upstream))
    return output.detach().double().numpy(), {
        name: gradient.to_dense().double().numpy() for name, gradient in zip(wanted, found, strict=True)
    }
