"""A layer with numbers to run it on, and the same in torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """``layer`` with parameters and an input, or a tuple of several; ``torch`` is the same function of tensors.

    Arrays of integers have no gradient, nor have those that ``fixed`` names. ``smooth``: complex numbers can
    run through it. ``rational``: a polynomial of degree 2 at most in every number, without roots. ``slopes``: the
    gradients are the slopes of the output, not other numbers by convention. ``floats``: only
    floating-point numbers can. ``cancels``: in low precision the numbers cancel altogether.
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
