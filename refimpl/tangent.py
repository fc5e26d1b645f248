"""The part of a step that turns weights whose length does not matter, without the part that lengthens them.

The loss of weights in front of a normalisation does not change with their length, so their gradient has no part along
them. Where that is seen, the part of the step along them is taken off::

    cosₖ = |⟨wₖ, gₖ⟩| / (max(‖wₖ‖, ε)·max(‖gₖ‖, ε))          wₖ: n weights of a channel, or all n weights of the array
    where maxₖ cosₖ < δ/√n:   uₖ ← uₖ − ŵₖ⟨ŵₖ, uₖ⟩   with ŵₖ = wₖ/(‖wₖ‖ + ε)

first with the channels, which are the elements of the first axis, then, where they are not so, with the whole array.
Arrays of fewer than two axes are left as they are.

Source: Heo et al., "AdamP: Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant Weights", ICLR 2021,
arXiv:2006.08217, equations (11) and (12), and the authors' code for the ε and for the order of the two views.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from refimpl.arithmetic.kernels import norm
from refimpl.types import Array, Number


def tangential(
    param: Array, grad: Array, step: Array, decayed: tuple[Array, Array], delta: Number, eps: Number
) -> tuple[Any, Any]:
    """``step`` without its part along ``param``, and the first of ``decayed``, where ``grad`` has no part along it.

    Elsewhere ``step`` itself and the second of ``decayed``. All arrays have one shape, ``(runs, …)``; the numbers are
    shaped to meet them. What is decided, is decided for each run by itself.
    """
    turned, (spared, weights) = step, decayed
    for channels in (1, param.shape[1]) if param.ndim > 2 else ():  # what comes last is what counts
        length, across = (along_channels(norm, channels, x) for x in (param, grad))  # ‖wₖ‖, ‖gₖ‖
        product = along_channels(np.vecdot, channels, param, grad)  # ⟨wₖ, gₖ⟩
        cosine = np.abs(product) / (np.maximum(length, eps) * np.maximum(across, eps))
        largest = cosine.max(axis=1).reshape(-1, *(1,) * (param.ndim - 1))  # maxₖ cosₖ
        count = param.size // len(param) // channels  # n
        is_tangent = count * largest * largest < delta * delta  # cos < δ/√n
        unit = param / (length + eps)  # ŵₖ
        flat = step - unit * along_channels(np.vecdot, channels, unit, step)  # uₖ − ŵₖ⟨ŵₖ, uₖ⟩
        turned, weights = np.where(is_tangent, flat, turned), np.where(is_tangent, spared, weights)
    return turned, weights


def along_channels(function: Any, channels: int, *arrays: Array) -> Any:
    """A function of vectors, of each channel of each run, shaped to meet the arrays."""
    runs, ndim = len(arrays[0]), arrays[0].ndim
    return function(*(x.reshape(runs, channels, -1) for x in arrays)).reshape(runs, channels, *(1,) * (ndim - 2))
