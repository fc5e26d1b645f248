"""What is kept of the squares of the gradients, for the divisor of the step.

Every formula takes the rule, the gradient, the new m, the m of the step before and the state, and returns v and the new
state ``exp_avg_sq``::

    average    v ← β₂v + (1 − β₂)g²        sum    v ← v + g²
"""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.explain.update.link import Link, Table, first, largest, size_of, total

KEY = "exp_avg_sq"


def _averaged(h: Any, square: Any, s: Any) -> Any:
    """β₂v + (1 − β₂)·square"""
    return h.beta2 * s.get(KEY, 0) + (1 - h.beta2) * square


def _plain(square: Any) -> Any:
    """A formula of g alone, averaged."""

    def of(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
        del m, old
        v = _averaged(h, square(g), s)
        return v, {KEY: v}

    return of


def _whole_first(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """v = g² in the first step, then β₂v + (1 − β₂)g²"""
    del m, old
    v = g * g if first(s, KEY) else _averaged(h, g * g, s)
    return v, {KEY: v}


def _undamped(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """β₂v + g²"""
    del m, old
    v = h.beta2 * s.get(KEY, 0) + g * g
    return v, {KEY: v}


def _sum(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """v + g²"""
    del m, old
    v = s.get(KEY, h.accumulated) + g * g
    return v, {KEY: v}


def _lagging(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """v of the step before"""
    del m, old
    v = s.get(KEY, 0) + 0 * g
    return v, {KEY: _averaged(h, g * g, s)}


def _lagging_own_first(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """v of the step before, but for the first step"""
    del m, old
    after = _averaged(h, g * g, s)
    return s.get(KEY, after), {KEY: after}


def belief(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """β₂s + (1 − β₂)(g − m)² + ε"""
    del old
    v = _averaged(h, (g - m) * (g - m), s) + h.eps
    return v, {KEY: v}


def _belief_bare(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """β₂s + (1 − β₂)(g − m)²"""
    del old
    v = _averaged(h, (g - m) * (g - m), s)
    return v, {KEY: v}


def _belief_old(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """β₂s + (1 − β₂)(g − m₋₁)²"""
    del m
    v = _averaged(h, (g - old) * (g - old), s)
    return v, {KEY: v}


def _of_momentum(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """β₂v + (1 − β₂)m²"""
    del g, old
    v = _averaged(h, m * m, s)
    return v, {KEY: v}


def centred(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """v − a², a the average of g with the same β"""
    del m, old
    v = _averaged(h, g * g, s)
    a = s.get("grad_avg", 0)
    a = a + (1 - h.beta2) * (g - a)
    spread = v - a * a
    return np.where(spread < 0, np.nan, spread), {KEY: v, "grad_avg": a}


def amsgrad(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """max(v̄, v)"""
    del m, old
    v = _averaged(h, g * g, s)
    top = np.maximum(s.get("max_exp_avg_sq", 0), v)
    return top, {KEY: v, "max_exp_avg_sq": top}


def _amsgrad_undamped(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """max(v̄, v) of v ← β₂v + g²"""
    v = _undamped(h, g, m, old, s)[0]
    top = np.maximum(s.get("max_exp_avg_sq", 0), v)
    return top, {KEY: v, "max_exp_avg_sq": top}


def _amsgrad_corrected(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """c₂·max(v̄, v/c₂): the maximum is taken of the corrected v"""
    del m, old
    v = _averaged(h, g * g, s)
    c2 = 1 - h.beta2 ** (s["step"].reshape(-1, *(1,) * (g.ndim - 1)) + 1)
    top = np.maximum(s.get("max_exp_avg_sq", 0), v / c2)
    return top * c2, {KEY: v, "max_exp_avg_sq": top}


def _amsgrad_kept(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """v ← max(v, β₂v + (1 − β₂)g²): the maximum is kept as the average itself"""
    del m, old
    v = np.maximum(s.get(KEY, 0), _averaged(h, g * g, s))
    return v, {KEY: v}


def _largest_decayed(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """u², u ← max(β₂u, |g|)"""
    del m, old
    u = np.maximum(h.beta2 * s.get(KEY, 0), np.abs(g))
    return u * u, {KEY: u}


def adamax(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """u ← max(β₂u, |g| + ε)"""
    del m, old
    u = np.maximum(h.beta2 * s.get(KEY, 0), np.abs(g) + h.eps)
    return u * u, {KEY: u}


def _interpolated(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """(1 − β₂)v + β₂g²"""
    del m, old
    v = (1 - h.beta2) * s.get(KEY, 0) + h.beta2 * g * g
    return v, {KEY: v}


def _growing(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """v + (1 − β₂)g²"""
    del m, old
    v = s.get(KEY, 0) + (1 - h.beta2) * g * g
    return v, {KEY: v}


def _now(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """g²"""
    del h, m, old, s
    return g * g, {KEY: g * g}


def _nothing(h: Any, g: Any, m: Any, old: Any, s: Any) -> Any:
    """No divisor."""
    del h, g, m, old, s
    return None, {}


TABLE: Table = {
    "none": Link(_nothing, "the step is not divided by √v"),
    "average": Link(_plain(lambda g: g * g), "v is the running average of g² with β₂"),
    "sum": Link(_sum, "v is the sum of all g² (Adagrad's), which is never decayed"),
    "first square": Link(
        _whole_first, "v starts with the whole first g², not with (1 − β₂)·g² (and what divides it by 1 − β₂ᵗ remains)"
    ),
    "undamped": Link(_undamped, "v is a decaying sum, β₂·v + g²: the factor 1 − β₂ of the new square is missing"),
    "lagging": Link(_lagging, "the step is divided by v of the step before: v is advanced after it was used"),
    "lagging but first": Link(
        _lagging_own_first, "the step is divided by v of the step before, but for the first step, which uses its own v"
    ),
    "absolute": Link(_plain(lambda g: np.abs(g)), "v averages |g| in the place of g²"),
    "mean": Link(
        _plain(lambda g: total(g * g) / size_of(g)),
        "v is one number for the whole tensor, the average of the mean of g²; each element should have its own v",
    ),
    "norm": Link(
        _plain(lambda g: total(g * g)),
        "v is one number for the whole tensor, the average of ‖g‖²; each element should have its own v",
    ),
    "largest": Link(
        _plain(lambda g: largest(g * g)),
        "v is one number for the whole tensor, the average of its largest g²; each element should have its own v",
    ),
    "squared mean": Link(
        _plain(lambda g: (total(g) / size_of(g)) * (total(g) / size_of(g)) + 0 * g),
        "v is one number for the whole tensor, the average of the square of the mean of g",
    ),
    "belief": Link(belief, "v averages (g − m)² + ε, as AdaBelief does, in the place of g²"),
    "belief without ε": Link(_belief_bare, "v averages (g − m)² in the place of g², without AdaBelief's ε in it"),
    "belief of old m": Link(_belief_old, "v averages (g − m)² with the m of the step before"),
    "of momentum": Link(_of_momentum, "v averages m², the square of the momentum, in the place of g²"),
    "centred": Link(centred, "v is centred: the square of the average of g is subtracted"),
    "amsgrad": Link(amsgrad, "the step is divided by the largest v so far (amsgrad)"),
    "amsgrad undamped": Link(
        _amsgrad_undamped, "v is a decaying sum, β₂·v + g², of which the largest so far is taken: 1 − β₂ is missing"
    ),
    "amsgrad corrected": Link(
        _amsgrad_corrected, "the step is divided by the largest v/(1 − β₂ᵗ) so far: amsgrad after the correction"
    ),
    "amsgrad kept": Link(_amsgrad_kept, "v never falls: the maximum of amsgrad is kept as the running average itself"),
    "largest decayed": Link(_largest_decayed, "√v is max(β₂·u, |g|), as in Adamax"),
    "adamax": Link(adamax, "√v is max(β₂·u, |g| + ε), as in Adamax"),
    "interpolated": Link(_interpolated, "β₂ and 1 − β₂ are interchanged in v: (1 − β₂)·v + β₂·g²"),
    "growing": Link(_growing, "v is never decayed: v + (1 − β₂)·g²"),
    "now": Link(_now, "v is g² of the step alone: nothing is averaged"),
}
