"""The checks of optimizers whose step is too long for one bound: stage by stage, each from the recorded one before.

Rounding errors of a stage grow in those after it: over the whole of Muon's Newton–Schulz iteration a bound would exceed
the result by many powers of ten. So each stage of the reference's step starts from what the framework itself had there:
for Muon the matrix products of the step, for L-BFGS its state and the dot products.

==========================  ===========================================================================================
quantity                    started from
==========================  ===========================================================================================
w.momentum_buffer           weights, gradient, state
w start                     gradient, state; held to the first operand of the first product
w gram k, polynomial k,     the products of iteration k before it
iterate k
w                           weights, the last product
--------------------------  -------------------------------------------------------------------------------------------
y, s, ro, H_diag            the gradients, direction and step length of the last step
q i, al i, r i, d           the vector that the loop had before it took in pair i
t, w                        the direction
armijo, curvature           losses and slopes at the step length that the line search found
==========================  ===========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.judge.update import Update
from parity.step.arithmetics import Rounding
from parity.step.expected import Expected, Kind, Quantity, equal, expect_one
from refimpl.arithmetic.bounded import Bounded, Decision, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.optimizers import lbfgs
from refimpl.optimizers.lbfgs import LBFGS
from refimpl.optimizers.muon import Muon
from refimpl.types import Array

BFLOAT16, FLOAT32 = FORMATS["bfloat16"], FORMATS["float32"]


@dataclass(frozen=True, kw_only=True)
class Product:
    """A product that a framework made: ``left @ right``, with what it added; arrays ``(1, …)``, exact in float64.

    ``format``: of the factors, where it is known.
    """

    name: str
    left: Array
    right: Array
    result: Array
    format: str = ""


# -- Muon --------------------------------------------------------------------------------------------------------------

NORMALISING = Profile(compute=BFLOAT16, accumulate=FLOAT32)
MULTIPLYING = Profile(compute=FLOAT32, accumulate=FLOAT32)
"""torch's kernels for bfloat16: a norm is summed, a product of matrices summed and scaled in float32, then stored."""


def check_muon(update: Update, products: Sequence[Product]) -> Iterator[Expected]:
    """The buffer, the start of the iteration, each of its products, and the weights."""
    assert isinstance(update.optimizer, Muon)
    name, number, arithmetic = update.parameter, update.number, Rounding(update.profile)
    optimizer = arithmetic.hyper(update.optimizer, update.before.ndim)
    gradient = arithmetic.tensor(update.gradient)
    state = {key: arithmetic.tensor(value) for key, value in update.state.items()}
    buffer = optimizer.buffer(gradient, state)
    stored = FORMATS[update.formats["momentum_buffer"]]
    kept = update.state_after.get("momentum_buffer")
    yield expect_one(Quantity("value", name, "momentum_buffer"), number, kept, buffer, stored)

    direction = cast(optimizer.direction(gradient, buffer), NORMALISING)
    start = Rounding(NORMALISING).hyper(update.optimizer, 3).start(direction)
    steps = update.optimizer.ns_steps
    yield equal_count(Quantity("products", name), number, len(products), 3 * steps)
    if len(products) != 3 * steps:
        return
    last = Bounded(start.value, start.error, update.profile)
    if products:
        rounding = Rounding(MULTIPLYING)
        stage = rounding.hyper(update.optimizer, 3)
        X = rounding.tensor(products[0].left)
        yield expect_one(Quantity("start", name), number, products[0].left, start, BFLOAT16)
        for k in range(steps):
            A, B, iterate = (rounding.tensor(product.result) for product in products[3 * k : 3 * k + 3])
            made_of: tuple[tuple[Kind, Any, Any], ...] = (
                ("gram", stage.gram(X), A),
                ("polynomial", stage.polynomial(A), B),
                ("iterate", stage.iterate(X, B), iterate),
            )
            for what, made, recorded in made_of:
                yield expect_one(Quantity(what, name, number=k + 1), number, recorded.value, made, BFLOAT16)
            X = iterate
        last = arithmetic.tensor(products[-1].result)
    if last.shape[-2:] != start.shape[-2:]:
        return  # said above: a product of another shape than the reference's
    param = optimizer.moved(arithmetic.tensor(update.before), last)
    yield expect_one(Quantity("value", name), number, update.after, param, FORMATS[update.formats["param"]])


def cast(x: Any, profile: Profile) -> Bounded:
    """``x`` as a cast to another format leaves it: rounding is monotone, so the ends of its interval are rounded.

    A double may be rounded to float32 on the way.
    """
    here, there = x.profile.compute, profile.compute
    if here == there:
        return Bounded(x.value, x.error, profile)
    error = x.error + (FLOAT32.u * (np.abs(x.value) + x.error) + FLOAT32.tiny if here.digits > FLOAT32.digits else 0)
    with np.errstate(invalid="ignore"):  # ∞ − ∞ beyond the largest number: unbounded
        low, high = there.round(x.value - error), there.round(x.value + error)
        middle, half = (low + high) / 2, (high - low) / 2
    bounded = np.isfinite(half)
    return Bounded(np.where(bounded, middle, x.value), np.where(bounded, half, np.inf), profile)


# -- L-BFGS ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What the closure was asked at, and what it gave: flat vectors ``(1, p)`` and the loss ``(1, 1)``."""

    params: Array
    loss: Array
    gradient: Array


@dataclass(frozen=True, kw_only=True)
class GroupUpdate:
    """One step of ``torch.optim.LBFGS`` with ``max_iter=1``: all parameters flat, ``(1, p)``, exact in float64.

    ``state``, ``state_after``: torch's, numbers as ``(1, 1)``, lists as tuples. ``evaluations``: of the closure, in
    order; ``max_eval``: how many of them torch allows. ``format``: of all tensors.
    """

    number: int
    optimizer: LBFGS
    profile: Profile
    before: Array
    state: Mapping[str, Any]
    after: Array
    state_after: Mapping[str, Any]
    evaluations: Sequence[Evaluation]
    max_eval: int
    format: str


def check_lbfgs(update: GroupUpdate, products: Sequence[Product]) -> Iterator[Expected]:
    """Every stage of the step; a decision that rounding errors could turn is taken as torch took it."""
    number, store, arithmetic = update.number, FORMATS[update.format], Rounding(update.profile)
    optimizer = arithmetic.hyper(update.optimizer, 2)
    state, after, tensor = update.state, update.state_after, arithmetic.tensor
    g = update.evaluations[0].gradient
    yield handed_on(
        _of("func_evals"), number, after["func_evals"], counter(state, "func_evals") + len(update.evaluations)
    )
    stopped = "d" not in after or np.array_equal(after["n_iter"], counter(state, "n_iter"))
    yield decided(_of("tolerance_grad"), number, stopped, optimizer.is_optimal(tensor(g)))
    yield handed_on(_of("n_iter"), number, after["n_iter"], counter(state, "n_iter") + (0 if stopped else 1))
    if stopped:
        yield handed_on(Quantity("value", "w"), number, update.after, update.before)
        return
    yield handed_on(_of("prev_flat_grad"), number, after["prev_flat_grad"], g)
    yield handed_on(_of("prev_loss"), number, after["prev_loss"], update.evaluations[0].loss)
    first = "d" not in state
    d, t = tensor(after["d"]), Bounded.hyper(after["t"], update.profile)
    if first:
        yield handed_on(_of("d"), number, after["d"], -g)
    else:
        yield from _check_memory(update)
        yield from _check_loops(update, [product for product in products if product.name == "dot"])

    searches = update.optimizer.line_search_fn == "strong_wolfe"
    slope, is_flat = lbfgs.dot(tensor(g), d), optimizer.is_flat(tensor(g), d)
    unmoved = np.array_equal(update.after, update.before)  # also by a step that is too short to move anything
    stays = len(update.evaluations) == 1 if searches else unmoved and decision(is_flat) is not False
    yield decided(_of("tolerance_change"), number, stays, is_flat)
    if stays or not searches:
        length = number_of(optimizer.length(tensor(g), first=first), update.profile)
        yield expect_one(_of("t"), number, after["t"], length, store)
    if stays:
        yield handed_on(Quantity("value", "w"), number, update.after, update.before)
    else:
        moved = tensor(update.before) + lbfgs.moved_by(d, t)
        yield expect_one(Quantity("value", "w"), number, update.after, moved, store)
        if searches:
            yield from _check_wolfe(update, slope)


def _check_memory(update: GroupUpdate) -> Iterator[Expected]:
    """Check what the step remembers of the step before."""
    number, store, tensor = update.number, FORMATS[update.format], Rounding(update.profile).tensor
    state, after = update.state, update.state_after
    y = lbfgs.change(tensor(update.evaluations[0].gradient), tensor(state["prev_flat_grad"]))
    s = lbfgs.moved_by(tensor(state["d"]), Bounded.hyper(state["t"], update.profile))
    curved = decision(lbfgs.is_curved(y, s))
    keys = ("old_dirs", "old_stps", "ro")
    kept = all(same(after[key], state[key]) for key in keys)
    if curved is not None:
        yield equal_count(_of("remembers"), number, not kept, curved)
    if kept or curved is False:
        yield handed_on(_of("H_diag"), number, after["H_diag"], state["H_diag"])
        return
    for key in keys:
        old = state[key][-(update.optimizer.history_size - 1) :] if update.optimizer.history_size > 1 else ()
        yield equal_count(Quantity("count", key=key), number, len(after[key]), len(old) + 1)
        for i, (now, before) in enumerate(zip(after[key], old, strict=False)):
            yield handed_on(_of(key, i), number, now, before)
    yield expect_one(_of("y"), number, after["old_dirs"][-1], y, store)
    yield expect_one(_of("s"), number, after["old_stps"][-1], s, store)
    y, s = tensor(after["old_dirs"][-1]), tensor(after["old_stps"][-1])
    yield expect_one(_of("ro"), number, after["ro"][-1], lbfgs.inverse(lbfgs.dot(y, s)), store)
    yield expect_one(_of("H_diag"), number, after["H_diag"], lbfgs.scale(y, s), store)


def _check_loops(update: GroupUpdate, dots: Sequence[Product]) -> Iterator[Expected]:
    """The two-loop recursion, from the vectors that went into its dot products."""
    number, store, tensor = update.number, FORMATS[update.format], Rounding(update.profile).tensor
    after = update.state_after
    pairs = [tuple(map(tensor, pair)) for pair in zip(after["old_stps"], after["old_dirs"], after["ro"], strict=True)]
    g, H, m = tensor(update.evaluations[0].gradient), tensor(after["H_diag"]), len(pairs)
    loops = dots[_dots_before(update) :][: 2 * m]
    yield equal_count(Quantity("count", key="dot products"), number, len(loops), 2 * m)
    if len(loops) != 2 * m:
        return
    q = -g
    for i, product in zip(reversed(range(m)), loops[:m], strict=True):
        s, y, rho = pairs[i]
        yield expect_one(_of("q", i), number, product.right, q, store)
        q = tensor(product.right)
        yield expect_one(_of("al", i), number, after["al"][i], lbfgs.along(q, s, rho), store)
        q = lbfgs.without(q, y, tensor(after["al"][i]))
    r = q * H
    for i, product in zip(range(m), loops[m:], strict=True):
        s, y, rho = pairs[i]
        yield expect_one(_of("r", i), number, product.right, r, store)
        r = lbfgs.corrected(tensor(product.right), s, y, rho, tensor(after["al"][i]))
    yield expect_one(_of("d"), number, after["d"], r, store)


def _of(name: str, number: int | None = None) -> Quantity:
    """A tensor or a number of the state, or one of several vectors of that name."""
    return Quantity("value", key=name, number=number)


def _dots_before(update: GroupUpdate) -> int:
    """y·s, and y·y where the pair is remembered."""
    keys = ("old_dirs", "old_stps", "ro")
    return 1 if all(same(update.state_after[key], update.state[key]) for key in keys) else 2


def _check_wolfe(update: GroupUpdate, slope: Bounded) -> Iterator[Expected]:
    """Both conditions, where the line search was not cut short; what it found is among the evaluations.

    Losses and the step length are numbers outside of tensors, but are rounded to the slope's format when they meet it.
    """
    number, tensor = update.number, Rounding(update.profile).tensor
    start, *tried = update.evaluations
    steps = [float(np.max(np.abs(trial.params - update.after))) for trial in tried]
    if not tried or len(update.evaluations) - 1 >= update.max_eval:
        return
    others = sorted([*steps, float(np.max(np.abs(update.before - update.after)))])[1:]
    if min(others, default=np.inf) < 2 * float(update.optimizer.tolerance_change):
        return  # the bracket became too small
    accepted = tried[int(np.argmin(steps))]
    loss, loss_after, t = (
        Bounded.hyper(number, update.profile) for number in (start.loss, accepted.loss, update.state_after["t"])
    )
    slope_after = lbfgs.dot(tensor(accepted.gradient), tensor(update.state_after["d"]))
    armijo = lbfgs.armijo_excess(loss, loss_after, t, slope)
    curvature = lbfgs.curvature_excess(slope, slope_after)
    for quantity, excess in (("armijo", armijo), ("curvature", curvature)):
        none = np.zeros(excess.shape, np.longdouble)
        yield Expected(_of(quantity), np.array([number]), np.maximum(excess.value, 0), none, excess.error, none > 0)


def number_of(x: Any, profile: Profile) -> Bounded:
    """A number of the state, ``(1, 1)``, which the formula may give as a scalar."""
    bounded = x if isinstance(x, Bounded) else Bounded.hyper(x, profile)
    return Bounded(bounded.value.reshape(1, 1), bounded.error.reshape(1, 1), profile)


def counter(state: Mapping[str, Any], key: str) -> Array:
    value: Array = np.asarray(state.get(key, np.zeros((1, 1))))
    return value


def same(first: Sequence[Array], second: Sequence[Array]) -> bool:
    return len(first) == len(second) and all(map(np.array_equal, first, second))


def decision(condition: Any) -> bool | None:
    """True, False, or None where rounding errors could turn it; of all elements together."""
    assert isinstance(condition, Decision)
    if np.any(~condition.likely & ~condition.undecided):
        return False
    return None if np.any(condition.undecided) else True


def decided(quantity: Quantity, number: int, candidate: bool, condition: Any) -> Expected:
    """A decision of the framework, held to the reference's where that is certain."""
    expected = decision(condition)
    return equal_count(quantity, number, candidate, candidate if expected is None else expected)


def equal_count(quantity: Quantity, number: int, candidate: float, wanted: float) -> Expected:
    """A count, or a decision, held to equality."""
    return equal(quantity, number, np.array([[float(candidate)]]), wanted)


def handed_on(quantity: Quantity, number: int, candidate: Array, wanted: Array) -> Expected:
    """Held to equality; nan, handed on, equals nan, and another shape agrees with nothing."""
    if np.shape(candidate) != np.shape(wanted):
        return equal(quantity, number, np.nan, np.zeros(np.shape(wanted)))
    both = np.isnan(candidate) & np.isnan(wanted)
    return equal(quantity, number, np.where(both, 0, candidate), np.where(both, 0, wanted))
