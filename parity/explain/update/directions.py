"""What is made of the direction u = (m/c₁)/divisor before it is multiplied by the learning rate.

Every formula takes the rule, u, the gradient, the weights and the state, and returns the direction and what is kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.explain.update.link import Link, Table, largest, size_of, total
from refimpl.arithmetic.kernels import norm_of_run


def _mask(u: Any, g: Any) -> Any:
    """1 where u has the sign of g, else 0"""
    return np.where(u * g > 0, 0 * u + 1, 0 * u)


def _cautious(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    del h, w, s
    return u * _mask(u, g), {}


def _cautious_rescaled(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    """divided by the mean of the mask, which counts as 0.001 at least"""
    del h, w, s
    mask = _mask(u, g)
    return u * (mask / np.maximum(total(mask) / size_of(u), 1e-3)), {}


def _cautious_counted(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    """times n/(number of kept elements + 1)"""
    del h, w, s
    mask = _mask(u, g)
    return u * (mask * (size_of(u) / (total(mask) + 1))), {}


def _grams(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    """|u|·sign g"""
    del h, w, s
    return np.abs(u) * np.sign(g), {}


def trust(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    """‖w‖/‖u‖·u"""
    del h, g, s
    size, length = norm_of_run(w), norm_of_run(u)
    ratio = np.where(size > 0, np.where(length > 0, size / np.where(length > 0, length, 1), 1), 1)
    return ratio * u, {}


def _unit(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    """u/‖u‖"""
    del h, g, w, s
    return u / norm_of_run(u), {}


def _by_rms(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    """u/max(1, rms u)"""
    del h, g, w, s
    return u / np.maximum(np.sqrt(total(u * u) / size_of(u)), 1), {}


def _clipped(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    """u in [−1, 1]"""
    del h, g, w, s
    return np.minimum(np.maximum(u, -1), 1), {}


def momentum(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    """b ← μb + u"""
    del g, w
    b = h.momentum * s.get("momentum_buffer", 0) + u
    return b, {"momentum_buffer": b}


def _momentum_average(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    """b ← μb + (1 − μ)u"""
    del g, w
    b = h.momentum * s.get("momentum_buffer", 0) + (1 - h.momentum) * u
    return b, {"momentum_buffer": b}


def _momentum_by_beta(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    """b ← β₁b + (1 − β₁)u"""
    del g, w
    b = h.beta1 * s.get("momentum_buffer", 0) + (1 - h.beta1) * u
    return b, {"momentum_buffer": b}


def _momentum_with_rate(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    """b ← μb + ηu, w ← w − b"""
    del g, w
    b = h.momentum * s.get("momentum_buffer", 0) + h.lr * u
    return b, {"momentum_buffer": b}


def _same(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    del h, g, w, s
    return u, {}


def _sign(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    del h, g, w, s
    return np.sign(u), {}


def _centred(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    del h, g, w, s
    return u - total(u) / size_of(u), {}


def _by_largest(h: Any, u: Any, g: Any, w: Any, s: Any) -> Any:
    del h, g, w, s
    return u / largest(np.abs(u)), {}


TABLE: Table = {
    "as it is": Link(_same, "the direction is used as it is"),
    "sign": Link(_sign, "only the sign of the direction is used"),
    "cautious": Link(_cautious, "the update is cautious: elements whose direction has not the sign of g do not move"),
    "cautious rescaled": Link(
        _cautious_rescaled,
        "the update is cautious: elements whose direction has not the sign of g do not move, and the others are "
        "enlarged by 1/(share of them)",
    ),
    "cautious counted": Link(
        _cautious_counted,
        "the update is cautious: elements whose direction has not the sign of g do not move, and the others are "
        "enlarged by n/(their number + 1)",
    ),
    "sign of the gradient": Link(_grams, "every element moves by the size of its direction with the sign of g (Grams)"),
    "trust": Link(trust, "the direction is scaled by a trust ratio, ‖w‖/‖u‖ of each parameter (LAMB's)"),
    "unit": Link(_unit, "the direction is normalised, u/‖u‖ of each parameter"),
    "rms clipped": Link(_by_rms, "the direction is divided by max(1, its root mean square)"),
    "clipped": Link(_clipped, "every element of the direction is clipped to [−1, 1]"),
    "centred": Link(_centred, "the mean of the direction over the tensor is subtracted"),
    "largest": Link(_by_largest, "the direction is divided by its largest element"),
    "momentum": Link(momentum, "momentum is applied to the direction, b ← μ·b + u"),
    "momentum average": Link(
        _momentum_average, "momentum averages the direction, b ← μ·b + (1 − μ)·u, in the place of μ·b + u"
    ),
    "averaged": Link(
        _momentum_by_beta, "the momentum averages g/(√v + ε), after the division, in the place of g before it"
    ),
    "momentum with rate": Link(
        _momentum_with_rate,
        "the learning rate is inside the momentum of the direction: b ← μ·b + η·u, w ← w − b",
        rated=True,
    ),
}
