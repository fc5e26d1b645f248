"""Lookahead, Cautious and SAM: closed forms, and the inner optimizer where they are it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.lift import lift
from refimpl.errors import ParameterError
from refimpl.optimizers import SGD, Adam, AdamW
from refimpl.optimizers.wrappers import SAM, WRAPPERS, Cautious, Lookahead
from refimpl.types import Array

RNG = np.random.default_rng(0)
START = RNG.standard_normal((1, 2, 3))
GRADIENTS = RNG.standard_normal((12, 1, 2, 3))


def run(optimizer: Any, gradients: Array = GRADIENTS, start: Array = START) -> Array:
    """The weights after each step."""
    w, state, after = start, optimizer.init(start), []
    for g in gradients:
        w, state = optimizer.step(w, g, state)
        after.append(w)
    return np.stack(after)


@pytest.mark.parametrize(
    "wrapper",
    [Lookahead(inner=Adam(lr=0.1), alpha=1), Lookahead(inner=Adam(lr=0.1), k=99)],
    ids=["goes-all-the-way", "never"],
)
def test_lookahead_that_keeps_all_or_never_looks_is_the_inner_optimizer(wrapper: Lookahead) -> None:
    np.testing.assert_allclose(run(wrapper), run(Adam(lr=0.1)), rtol=1e-14)


def test_lookahead_on_a_constant_gradient_goes_a_share_of_the_way_that_sgd_goes() -> None:
    """w_n = w_0 − η·g·(α·k·⌊n/k⌋ + n mod k), exactly, in rationals."""
    optimizer = lift(Lookahead(inner=SGD(lr=0.25), k=3, alpha=0.5), Fraction)
    start, g = np.array([[Fraction(1, 3)]]), np.array([[Fraction(1)]])
    after = run(optimizer, np.array([g] * 8), start)
    for n, w in enumerate(after, start=1):
        whole, rest = divmod(n, 3)
        assert w[0, 0] == Fraction(1, 3) - Fraction(1, 4) * (Fraction(3, 2) * whole + rest)


def test_lookahead_refuses_to_look_every_0_steps() -> None:
    with pytest.raises(ParameterError, match="k"):
        Lookahead(inner=SGD(lr=0.1), k=0)


def test_a_cautious_step_that_goes_down_everywhere_is_the_inner_one() -> None:
    """SGD without momentum goes against its gradient in every element."""
    decayed = AdamW(lr=0.1, weight_decay=0.3)
    np.testing.assert_allclose(run(Cautious(inner=SGD(lr=0.1))), run(SGD(lr=0.1)), rtol=1e-14)
    np.testing.assert_allclose(run(Cautious(inner=decayed))[0], run(decayed)[0], rtol=1e-14)


def test_a_cautious_step_leaves_out_what_would_climb_and_enlarges_the_rest() -> None:
    """After g = 1 everywhere, momentum ½ and g = (1, 1, 1, −¼) move by 1½ and by ¼, which climbs where g is −¼."""
    start = np.zeros((1, 4))
    first, second = np.ones((1, 4)), np.array([[1.0, 1.0, 1.0, -0.25]])
    after = run(Cautious(inner=SGD(lr=0.5, momentum=0.5)), np.array([first, second]), start)
    np.testing.assert_array_equal(after[0], -0.5 * first)
    np.testing.assert_array_equal(after[1] - after[0], [[-0.75 * 4 / 3] * 3 + [0.0]])


def test_a_cautious_decay_is_applied_where_nothing_else_moves() -> None:
    start, flat = np.ones((1, 2)), np.zeros((1, 2))
    after = run(Cautious(inner=AdamW(lr=0.5, weight_decay=0.5)), np.array([flat]), start)
    np.testing.assert_array_equal(after[0], 0.75 * start)


def test_sam_climbs_by_rho_in_all_parameters_together() -> None:
    params, grads = {"w": START, "b": START[:, :1, :1]}, {"w": GRADIENTS[0], "b": GRADIENTS[1][:, :1, :1]}
    moved = SAM(inner=SGD(lr=0.1), rho=0.3).perturbation(params, grads)
    every = np.concatenate([e.ravel() for e in moved.values()])
    direction = np.concatenate([g.ravel() for g in grads.values()])
    assert np.linalg.norm(every) == pytest.approx(0.3, rel=1e-11)
    np.testing.assert_allclose(every / np.linalg.norm(every), direction / np.linalg.norm(direction), rtol=1e-11)


def test_adaptive_sam_does_not_depend_on_the_scale_of_the_weights() -> None:
    """At c·w, where the gradient of the same loss is g/c, e is c times as large (Kwon et al., §3)."""
    sam = SAM(inner=SGD(lr=0.1), rho=0.3, adaptive=True)
    one = sam.perturbation({"w": START}, {"w": GRADIENTS[0]})["w"]
    other = sam.perturbation({"w": 8 * START}, {"w": GRADIENTS[0] / 8})["w"]
    np.testing.assert_allclose(other, 8 * one, rtol=1e-11)


def test_sam_on_a_parabola_steps_with_the_slope_at_the_edge() -> None:
    """L = ½·a·w²: e = ρ·sign(w), so that w ← w − η·a·(w + ρ·sign(w))."""
    a, w, sam = 2.0, np.array([[0.7]]), SAM(inner=SGD(lr=0.1), rho=0.05)
    e = sam.perturbation({"w": w}, {"w": a * w})["w"]
    after, _ = sam.step(w, a * (w + e), sam.init(w))
    assert after[0, 0] == pytest.approx(0.7 - 0.1 * 2 * (0.7 + 0.05), rel=1e-11)


@pytest.mark.parametrize("name", ["lookahead", "cautious"])
def test_a_wrapper_has_bounds_that_hold_in_float32(name: str) -> None:
    wrapper = WRAPPERS[name](inner=AdamW(lr=0.125, weight_decay=0.25))
    profile = Profile(compute=FORMATS["float32"], accumulate=FORMATS["float32"], scalar=FORMATS["float32"])
    lifted = lift(wrapper, lambda number: Bounded.hyper(number, profile))
    param, g = (Bounded.tensor(array.astype("float32").astype(float), profile) for array in (START, GRADIENTS[0]))
    narrow, wide = START.astype("float32"), START.astype("float32").astype(float)
    after, _ = lifted.step(param, g, lifted.init(param))
    in32, _ = wrapper.step(narrow, GRADIENTS[0].astype("float32"), wrapper.init(narrow))
    in64, _ = wrapper.step(wide, GRADIENTS[0].astype("float32").astype(float), wrapper.init(wide))
    assert np.all(np.abs(in32 - after.value) <= after.error) and np.all(np.abs(in64 - after.value) <= after.error)
    assert np.all(after.error < 1e-5)
