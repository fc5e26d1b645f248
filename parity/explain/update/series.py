"""The step and the decay as executed, step by step, and the shortest pattern that describes a measured sequence.

For each step the move is solved for two numbers, with u the direction of the asked rule::

    Δw = −aₖ·ηₖ·u − bₖ·w            aₖ = 1 and bₖ = ηₖλ (decoupled decay) or 0 as asked
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.explain.measure.series import steps_text
from parity.explain.update.numbers import shortest
from parity.explain.update.stepped import bare, decoupled, rate_of
from parity.explain.update.trial import MOST_OFF, NEAR, UpdateRecord
from refimpl.optimizers import Lion
from refimpl.types import Array

ENOUGH = 6
"""Elements from which on two numbers are solved for; one else."""
ROUGH = 1e-3
"""Share of a move that may be left for it still to be said to follow a direction: ε leaves some."""
LISTED = 5
"""Numbers of a sequence that are printed."""


@dataclass(frozen=True)
class Measured:
    """aₖ and bₖ ``(K,)`` with their error bars; ``left``: the share of each move that they leave; ``exact``: whether
    what is left is rounding in every step."""

    a: Array
    a_error: Array
    b: Array
    b_error: Array
    left: Array
    exact: bool


def measure(record: UpdateRecord, optimizer: Any) -> Measured:
    """The two numbers of every step of one parameter."""
    weights = record.weights[: record.steps]
    asked = record.predicted(bare(optimizer)) - weights  # −ηₖu
    moved = record.weights[1 : record.steps + 1] - weights
    decay = rate_of(optimizer) * optimizer.weight_decay if decoupled(optimizer) else 0.0
    decayed = decay * record.motion.factor[: record.steps]
    rows = [
        _solve(move.ravel(), step.ravel(), w.ravel(), allowance.ravel(), decay)
        for move, step, w, allowance, decay in zip(moved, asked, weights, record.allowance, decayed, strict=True)
    ]
    a, a_error, b, b_error, left, good = (np.array(column) for column in zip(*rows, strict=True))
    return Measured(a, a_error, b, b_error, left, bool(good.all()))


def _solve(move: Array, step: Array, w: Array, allowance: Array, decay: float) -> tuple[float, ...]:
    """a, b, their error bars, the share that is left, and whether that is rounding."""
    known = np.isfinite(step) & np.isfinite(allowance)
    move, step, w, allowance = move[known], step[known], w[known], allowance[known]
    two = known.sum() >= ENOUGH
    matrix = np.stack([step, -w], axis=1) if two else step[:, None]
    target = move if two else move + decay * w
    size = np.linalg.norm(matrix, axis=0)
    if not size.all() or not len(move):
        still = bool(np.all(np.abs(move) <= NEAR * allowance))
        return 1.0, np.inf, decay, np.inf, 0.0 if still else np.inf, float(still)
    inverse = np.linalg.pinv(matrix / size) / size[:, None]
    numbers = inverse @ target
    bars = np.abs(inverse) @ allowance
    off = np.abs(target - matrix @ numbers)
    moved = float(np.linalg.norm(move))
    left = float(np.linalg.norm(off) / moved) if moved else 0.0
    good = float(np.mean(off > NEAR * allowance) <= (MOST_OFF if len(move) > ENOUGH else 0))
    b, b_bar = (float(numbers[1]), float(bars[1])) if two else (decay, 0.0)
    return float(numbers[0]), float(bars[0]), b, b_bar, left, good


# -- patterns ----------------------------------------------------------------------------------------------------------


def constant(values: Array, errors: Array) -> float | None:
    """The number that all values are within their error bars, with the fewest digits; None if there is none."""
    told = np.isfinite(errors)
    if not told.any():
        return None
    low, high = float(np.max((values - errors)[told])), float(np.min((values + errors)[told]))
    return shortest((low + high) / 2, low, high) if low <= high else None


def named(optimizer: Any, steps: int, factor: Array) -> dict[str, Array]:
    """Sequences that code may multiply by, relative to what was asked, in words."""
    t, f = np.arange(1, steps + 1), factor[:steps]
    sequences = {
        "falls with 1/√t": 1 / np.sqrt(t),
        "falls with 1/t": 1 / t,
        "grows with √t": np.sqrt(t),
        "grows with t": 1.0 * t,
    }
    betas = getattr(optimizer, "betas", ())
    if len(betas) > 1 and not isinstance(optimizer, Lion):
        c1, c2 = (1 - float(beta) ** t if 0 < float(beta) < 1 else np.ones(steps) for beta in betas[:2])
        sequences |= {
            "is multiplied by √(1 − β₂ᵗ)/(1 − β₁ᵗ), as by the bias-corrected step size": np.sqrt(c2) / c1,
            "is multiplied by √(1 − β₂ᵗ)": np.sqrt(c2),
            "is divided by 1 − β₁ᵗ": 1 / c1,
            "is multiplied by (1 − β₁ᵗ)/√(1 − β₂ᵗ)": c1 / np.sqrt(c2),
        }
    if not np.all(f == 1):
        sequences |= {
            "does not follow the schedule": 1 / f,
            "follows the schedule one step late": np.concatenate([f[:1], f[:-1]]) / f,
            "follows the schedule one step early": np.concatenate([f[1:], f[-1:]]) / f,
            "follows the square of the schedule": f,
        }
    return {text: ratio for text, ratio in sequences.items() if not np.allclose(ratio, 1)}


def pattern(values: Array, errors: Array, optimizer: Any, factor: Array) -> tuple[str, Array] | None:
    """What a sequence, relative to what was asked, may be: words and the numbers, the shortest first."""
    steps = len(values)
    single = constant(values, errors)
    if single is not None and single != 1:
        return f"is {single:.6g} times what was asked", np.full(steps, single)
    for text, ratio in named(optimizer, steps, factor).items():
        if np.all(np.abs(values - ratio) <= errors):
            return text, ratio
    if np.all(np.abs(values) > errors) and abs(values[0] - 1) <= errors[0]:
        ratios = values[1:] / values[:-1]
        geometric = constant(ratios, (errors[1:] + errors[:-1] * np.abs(ratios)) / np.abs(values[:-1]))
        if geometric is not None and geometric != 1:
            return f"is multiplied by {geometric:.6g} in each step", geometric ** np.arange(steps)
    zero, one = np.abs(values) <= errors, np.abs(values - 1) <= errors
    if (zero | one).all() and zero.any() and not zero.all():
        which = zero & ~one
        return f"is 0 in {steps_text(which, np.zeros(steps))}, and as asked else", np.where(which, 0.0, 1.0)
    return None


def listed(values: Array) -> str:
    """The first numbers of a sequence; of those near 1 what they are off."""
    text = ", ".join(_shown(float(value)) for value in values[:LISTED])
    return f"{text}, …" if len(values) > LISTED else text


def _shown(value: float) -> str:
    off = value - 1
    return f"1 {'−' if off < 0 else '+'} {abs(off):.2g}" if 0 < abs(off) < 1e-3 else f"{value:.4g}"


def counters(record: UpdateRecord, counted: Callable[[Sequence[int]], Any], most: int) -> tuple[int, ...] | None:
    """The whole number t of each step, 0 for no correction, that brings it near; None where a step has none.

    ``counted``: the optimizer whose corrections count so. m and v do not depend on t, so that each step is tried for
    itself, with t of the step before, the next one, and then with all up to ``most``.
    """
    counts = [1] * record.steps
    rule = counted(counts)  # one optimizer for all t: it reads the counter when it steps
    last = 1
    for k, state in enumerate(record.states(rule)):
        misses = {}
        for t in (last, last + 1, *range(most)):
            counts[k] = t
            misses[t] = record.miss(rule, k, state)
            if misses[t] <= 1:
                break
        last = counts[k] = min(misses, key=lambda t: misses[t])
        if misses[last] > NEAR:
            return None
    return tuple(counts)
