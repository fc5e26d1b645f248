"""A convolution, ``y = x ∗ W + b``, as ``torch.nn.Conv1d``, ``2d``, ``3d``: a linear layer on every patch of the input.

The patch of place o is what the kernel covers there. Its number of channel c and offset κ is the input at place
``s·o + d·κ − p`` of channel c, with stride s, dilation d and padding p in each direction, 0 beyond the edge. With the
patches as rows, P, and the weights of an output channel in one row of W, ``y = PWᵀ + b`` is a linear layer::

    y_o     = Σ_{c,κ} W_{cκ} x_c[s·o + d·κ − p] + b
    ∂L/∂W   = δᵀP                        Σ δ_o x_c[s·o + d·κ − p]     over rows and places o
    ∂L/∂b   = Σ δ                        over rows and places
    ∂L/∂x_c = Σ_{f,κ} W_{fcκ} δ_f[o]     over the places o whose patch has x at offset κ: s·o + d·κ − p = i

The last is a linear layer, too: on patches of δ, whose number of output channel f and offset κ is δ_f at place
``o = (i + p − d·κ)/s``, and 0 where that is no place of the output. With ``groups`` input and output channels are dealt
out in order, and each group is a convolution by itself.

Rounding: b may be added at the end, or the sum may begin with it; running-error arithmetic admits both.

An element of ∂L/∂W needs one output channel of δ and one column of P. So chosen elements are found without the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.arithmetic.kernels import product_with_bias
from refimpl.ranges import check_integers
from refimpl.types import Array, Params

PerAxis = int | tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """``weight`` ``(out, in/groups, *kernel)`` is W and, unless switched off, ``bias`` ``(out,)`` is b; inputs are
    ``(n, in, *places)``.

    ``stride``, ``padding`` (of zeros, on both sides) and ``dilation``: a number, or one for each direction.
    """

    stride: PerAxis = 1
    padding: PerAxis = 0
    dilation: PerAxis = 1
    groups: int = 1
    bias: bool = True

    def __post_init__(self) -> None:
        check_integers(self, groups=1)

    def forward(self, params: Params, x: Array) -> Array:
        """y ``(n, out, *places)``."""
        W, parts = params["weight"], []
        for g in range(self.groups):
            rows = _group(g, len(W), self.groups)
            P = self._patches(x[:, _group(g, x.shape[1], self.groups)], W.shape)
            bias = params["bias"][rows] if self.bias else None
            parts.append(_by_place(W[rows].reshape(len(W) // self.groups, -1), P, bias))  # PWᵀ + b
        return np.concatenate(parts, axis=1).reshape(len(x), len(W), *self._places(x.shape, W.shape))

    def backward(self, params: Params, x: Array, upstream: Array) -> tuple[Array, dict[str, Array]]:
        """∂L/∂x, ∂L/∂W and ∂L/∂b, each of the shape of what it is of, for δ ``(n, out, *places)``."""
        W = params["weight"]
        rows = np.arange(len(W))
        gradients = {"weight": self.weight_gradient(W.shape, x, upstream, rows).reshape(*W.shape)}
        if self.bias:
            gradients["bias"] = upstream.swapaxes(0, 1).reshape(len(W), -1).sum(axis=1)  # Σ δ
        return self.input_gradient(params, x, upstream), gradients

    def weight_gradient(
        self, shape: tuple[int, ...], x: Array, upstream: Array, rows: Array, columns: Array | None = None
    ) -> Array:
        """∂L/∂W ``(rows, columns)`` for chosen output channels, in order, and chosen weights of each, or all.

        ``shape`` is that of W; a column is the number of a weight in ``W.reshape(out, -1)``.
        """
        parts = []
        for g in np.unique(rows * self.groups // shape[0]):
            P = self._patches(x[:, _group(g, x.shape[1], self.groups)], shape, columns)
            of_group = rows[rows * self.groups // shape[0] == g]
            delta = upstream.reshape(*upstream.shape[:2], -1)[:, of_group].swapaxes(0, 1)
            parts.append(delta.reshape(len(of_group), -1) @ P.reshape(-1, P.shape[-1]))  # δᵀP
        return np.concatenate(parts, axis=0)

    def input_gradient(self, params: Params, x: Array, upstream: Array) -> Array:
        """∂L/∂x, of the shape of x; of some rows it needs these rows of x and δ only."""
        W, parts = params["weight"], []
        c = W.shape[1]
        for g in range(self.groups):
            rows = _group(g, len(W), self.groups)
            D = self._patches_of_outputs(upstream[:, rows], x.shape, W.shape)
            by_channel = W[rows].swapaxes(0, 1).reshape(c, -1)  # W_{cfκ}
            parts.append(_by_place(by_channel, D))  # Σ W δ
        return np.concatenate(parts, axis=1).reshape(*x.shape)

    def _patches(self, x: Array, shape: tuple[int, ...], columns: Array | None = None) -> Array:
        """P ``(n, places, columns)`` of the input channels of a group."""
        places, size = self._places(x.shape, shape), x.shape[2:]
        channel, *offsets = _columns(shape[1:], columns)
        at = []
        for axis, kappa in enumerate(offsets):
            s, p, d = (_of(option, axis) for option in (self.stride, self.padding, self.dilation))
            at.append(s * np.arange(places[axis])[:, None] + d * kappa - p)  # s·o + d·κ − p
        return _gathered(x, channel, at, [(i >= 0) & (i < size[axis]) for axis, i in enumerate(at)])

    def _patches_of_outputs(self, delta: Array, inputs: tuple[int, ...], shape: tuple[int, ...]) -> Array:
        """``(n, input places, columns)``: for each place of the input and each f and κ, δ_f at (i + p − d·κ)/s."""
        channel, *offsets = _columns((delta.shape[1], *shape[2:]), None)
        at, there = [], []
        for axis, kappa in enumerate(offsets):
            s, p, d = (_of(option, axis) for option in (self.stride, self.padding, self.dilation))
            steps = np.arange(inputs[2 + axis])[:, None] + p - d * kappa  # i + p − d·κ
            at.append(steps // s)
            there.append((steps % s == 0) & (steps >= 0) & (steps // s < delta.shape[2 + axis]))
        return _gathered(delta, channel, at, there)

    def _places(self, inputs: tuple[int, ...], shape: tuple[int, ...]) -> list[int]:
        """How many patches fit in each direction."""
        places = []
        for axis, (size, kernel) in enumerate(zip(inputs[2:], shape[2:], strict=True)):
            s, p, d = (_of(option, axis) for option in (self.stride, self.padding, self.dilation))
            places.append((size + 2 * p - d * (kernel - 1) - 1) // s + 1)
        return places


def _of(option: PerAxis, axis: int) -> int:
    """The number for one direction."""
    return option if isinstance(option, int) else option[axis]


def _group(g: int, channels: int, groups: int) -> slice:
    """The channels of group g."""
    return slice(g * channels // groups, (g + 1) * channels // groups)


def _columns(shape: tuple[int, ...], columns: Array | None) -> tuple[Array, ...]:
    """Channel and offsets κ, one for each direction, of chosen columns or of all."""
    chosen = np.arange(math.prod(shape)) if columns is None else columns
    return np.unravel_index(chosen, shape)


def _gathered(x: Array, channel: Array, at: list[Array], there: list[Array]) -> Array:
    """``(n, places, columns)``: x at ``at[axis]`` ``(places, columns)`` in each direction, 0 unless it is ``there``."""
    axes = len(at)
    shaped = [i.reshape(*(len(i) if a == axis else 1 for a in range(axes)), -1) for axis, i in enumerate(at)]
    inside: Any = math.prod(
        [t.reshape(*(len(t) if a == axis else 1 for a in range(axes)), -1) for axis, t in enumerate(there)]
    )
    index: Any = (slice(None), channel, *map(np.clip, shaped, [0] * axes, [size - 1 for size in x.shape[2:]]))
    values = np.where(inside.astype(bool), x[index], 0)
    return values.reshape(len(x), -1, len(channel))


def _by_place(W: Array, P: Array, bias: Array | None = None) -> Array:
    """``PWᵀ`` or ``PWᵀ + b`` with channels before places: ``(n, rows of W, places)``."""
    rows = P.reshape(-1, P.shape[-1])
    y: Array = rows @ W.T if bias is None else product_with_bias(rows, W.T, bias)
    return y.reshape(*P.shape[:2], len(W)).swapaxes(1, 2)
