"""What is kept of the gradients, and what of it is the numerator of the step.

Every formula takes the rule, the gradient and the state, and returns the numerator and the new state ``exp_avg``, m or
b, or None where nothing is kept::

    average    m ← β₁m + (1 − β₁)g         buffer    b ← μb + (1 − τ)g, b = g in the first step
"""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.explain.update.link import Link, Table, first
from refimpl.arithmetic.kernels import norm_of_run

KEY = "exp_avg"


def _old(state: Any) -> Any:
    return state.get(KEY, 0)


def average(h: Any, g: Any, s: Any) -> Any:
    """β₁m + (1 − β₁)g"""
    m = h.beta1 * _old(s) + (1 - h.beta1) * g
    return m, m


def buffer(h: Any, g: Any, s: Any) -> Any:
    """μb + (1 − τ)g, undampened in the first step"""
    b = g if first(s, KEY) else h.beta1 * s[KEY] + (1 - h.dampening) * g
    return b, b


def _buffer_dampened(h: Any, g: Any, s: Any) -> Any:
    """μb + (1 − τ)g in the first step, too"""
    b = h.beta1 * _old(s) + (1 - h.dampening) * g
    return b, b


def _average_whole_first(h: Any, g: Any, s: Any) -> Any:
    """m = g in the first step, then β₁m + (1 − β₁)g"""
    m = g if first(s, KEY) else h.beta1 * s[KEY] + (1 - h.beta1) * g
    return m, m


def _lagging(h: Any, g: Any, s: Any) -> Any:
    """m of the step before"""
    return (_old(s) + 0 * g), average(h, g, s)[1]


def nesterov_buffer(h: Any, g: Any, s: Any) -> Any:
    """g + μb"""
    b = buffer(h, g, s)[1]
    return g + h.beta1 * b, b


def _nesterov_average(h: Any, g: Any, s: Any) -> Any:
    """β₁m + (1 − β₁)g once more"""
    m = average(h, g, s)[1]
    return h.beta1 * m + (1 - h.beta1) * g, m


def _nesterov_undamped(h: Any, g: Any, s: Any) -> Any:
    """g + β₁m of the average"""
    m = average(h, g, s)[1]
    return g + h.beta1 * m, m


def _bengio(h: Any, g: Any, s: Any) -> Any:
    """(1 + μ)g + μb of the step before: μ in the place of μ²"""
    return (1 + h.beta1) * g + h.beta1 * _old(s), buffer(h, g, s)[1]


def _old_ahead(h: Any, g: Any, s: Any) -> Any:
    """g + μb of the step before; the buffer is advanced afterwards"""
    old = _old(s)
    b = buffer(h, g, s)[1]
    return g + h.beta1 * h.beta1 * old, b


def _only_ahead(h: Any, g: Any, s: Any) -> Any:
    """μb"""
    b = buffer(h, g, s)[1]
    return h.beta1 * b, b


def _rate_inside(h: Any, g: Any, s: Any) -> Any:
    """b ← μb + (1 − τ)ηg, ηg in the first step, w ← w − b: a changed rate acts on new gradients only"""
    b = buffer(h, h.lr * g, s)[1]
    return b, b


def _rate_inside_nesterov(h: Any, g: Any, s: Any) -> Any:
    """b as before, w ← w − (ηg + μb)"""
    return nesterov_buffer(h, h.lr * g, s)


def _rate_inside_average(h: Any, g: Any, s: Any) -> Any:
    """b ← μb + (1 − μ)ηg, w ← w − b"""
    return average(h, h.lr * g, s)


def _aliased(h: Any, g: Any, s: Any) -> Any:
    """2μg from the second step on"""
    return (g if first(s, KEY) else 2 * h.beta1 * g), g


def lion(h: Any, g: Any, s: Any) -> Any:
    """sign(β₁m + (1 − β₁)g); m ← β₂m + (1 − β₂)g afterwards"""
    m = _old(s)
    return np.sign(h.beta1 * m + (1 - h.beta1) * g), h.beta2 * m + (1 - h.beta2) * g


def _lion_after(h: Any, g: Any, s: Any) -> Any:
    """m ← β₂m + (1 − β₂)g first, then sign(β₁m + (1 − β₁)g)"""
    m = h.beta2 * _old(s) + (1 - h.beta2) * g
    return np.sign(h.beta1 * m + (1 - h.beta1) * g), m


def _lion_one(h: Any, g: Any, s: Any) -> Any:
    """sign(m), m ← β₁m + (1 − β₁)g: one average for both"""
    m = average(h, g, s)[1]
    return np.sign(m), m


def _lion_two(h: Any, g: Any, s: Any) -> Any:
    """sign(m), m ← β₂m + (1 − β₂)g: one average for both"""
    m = h.beta2 * _old(s) + (1 - h.beta2) * g
    return np.sign(m), m


def _lion_unsigned(h: Any, g: Any, s: Any) -> Any:
    """β₁m + (1 − β₁)g without its sign"""
    m = _old(s)
    return h.beta1 * m + (1 - h.beta1) * g, h.beta2 * m + (1 - h.beta2) * g


def _of_unit(h: Any, g: Any, s: Any) -> Any:
    """β₁m + (1 − β₁)·g/‖g‖"""
    length = norm_of_run(g)
    return average(h, g / np.where(length > 0, length, 1), s)


def _interpolated(h: Any, g: Any, s: Any) -> Any:
    """(1 − β₁)m + β₁g"""
    m = (1 - h.beta1) * _old(s) + h.beta1 * g
    return m, m


def _growing(h: Any, g: Any, s: Any) -> Any:
    """m + (1 − β₁)g"""
    m = _old(s) + (1 - h.beta1) * g
    return m, m


def _plain_sum(h: Any, g: Any, s: Any) -> Any:
    """β₁m + g, in the first step, too"""
    m = h.beta1 * _old(s) + g
    return m, m


def _step_undecayed(h: Any, g: Any, s: Any) -> Any:
    """b ← μ(b + g), used afterwards"""
    b = h.beta1 * (_old(s) + g)
    return b, b


def _nothing(h: Any, g: Any, s: Any) -> Any:
    """g"""
    del h, s
    return g, None


def _sum(h: Any, g: Any, s: Any) -> Any:
    """m + g"""
    del h
    m = _old(s) + g
    return m, m


TABLE: Table = {
    "none": Link(_nothing, "there is no momentum: the gradient of the step alone is used"),
    "average": Link(average, "momentum is a running average, β₁·m + (1 − β₁)·g"),
    "buffer": Link(buffer, "momentum is a buffer, μ·b + (1 − τ)·g, whose first step is g"),
    "sum": Link(_plain_sum, "momentum is a decaying sum, β₁·m + g: the factor 1 − β₁ of the new gradient is missing"),
    "buffer dampened": Link(_buffer_dampened, "the first step of the momentum buffer is dampened like the others"),
    "average whole first": Link(_average_whole_first, "m starts with the whole first gradient, not with (1 − β₁)·g"),
    "lagging": Link(_lagging, "the step uses m of the step before: m is advanced after it was used"),
    "nesterov buffer": Link(nesterov_buffer, "the step is Nesterov's, g + μ·b"),
    "nesterov average": Link(
        _nesterov_average, "the step looks ahead as Nesterov's does: β₁·m + (1 − β₁)·g in the place of m"
    ),
    "nesterov undamped": Link(_nesterov_undamped, "the step looks ahead with the whole gradient, g + β₁·m"),
    "nesterov first power": Link(
        _bengio,
        "the Nesterov step is (1 + μ)·g + μ·b with the buffer b of the step before: μ where Nesterov's has μ² "
        "(w ← w + μ·v − (1 + μ)·η·g; right is μ²·v)",
    ),
    "old buffer ahead": Link(_old_ahead, "the Nesterov step is g + μ²·b with the buffer of the step before"),
    "only ahead": Link(_only_ahead, "the step is μ·b without g"),
    "rate inside": Link(
        _rate_inside,
        "the learning rate is inside the velocity (b ← μ·b + η·g, w ← w − b), so that a changed rate acts late, on new "
        "gradients only",
        rated=True,
    ),
    "rate inside nesterov": Link(
        _rate_inside_nesterov,
        "the learning rate is inside the velocity of the Nesterov step, so that a changed rate acts late",
        rated=True,
    ),
    "rate inside average": Link(
        _rate_inside_average,
        "the learning rate is inside the velocity, which is a running average (b ← μ·b + (1 − μ)·η·g)",
        rated=True,
    ),
    "aliased": Link(
        _aliased,
        "there is no momentum, and from the second step on the gradient counts 2μ times: the momentum buffer is the "
        "tensor of the gradient itself (buffer = p.grad without clone), which zero_grad and backward overwrite",
    ),
    "lion": Link(lion, "the step is sign(β₁·m + (1 − β₁)·g), and m ← β₂·m + (1 − β₂)·g afterwards"),
    "lion after": Link(
        _lion_after, "m is advanced before the step that uses it: sign(β₁·m + (1 − β₁)·g) with the new m"
    ),
    "lion one": Link(_lion_one, "one average serves for the step and for the state: sign(m), m ← β₁·m + (1 − β₁)·g"),
    "lion two": Link(_lion_two, "one average serves for the step and for the state: sign(m), m ← β₂·m + (1 − β₂)·g"),
    "lion unsigned": Link(_lion_unsigned, "the sign is not taken: the step is β₁·m + (1 − β₁)·g itself"),
    "of unit": Link(_of_unit, "m averages normalised gradients, g/‖g‖"),
    "interpolated": Link(_interpolated, "β₁ and 1 − β₁ are interchanged in m: (1 − β₁)·m + β₁·g"),
    "growing": Link(_growing, "m is never decayed: m + (1 − β₁)·g"),
    "running sum": Link(_sum, "momentum is the sum of all gradients, m + g, which is never decayed"),
    "decayed after": Link(_step_undecayed, "the new gradient is decayed with the buffer: μ·(b + g)"),
}
