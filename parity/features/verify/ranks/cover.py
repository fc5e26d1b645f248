"""Which cases of several ranks are run: every optimizer meets every situation of every reduction, dtypes go round."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from parity.errors import InputError
from parity.features.verify.case import Case
from parity.features.verify.cover import dealt
from parity.features.verify.options import OPTIONS
from parity.features.verify.ranks.reductions import REDUCTIONS, SITUATIONS

DTYPES = ("float64", "float32", "bfloat16")
NOT_ON_RANKS = {"LBFGS": "its step is made in a closure", "SparseAdam": "its gradients are sparse"}
"""Optimizers whose gradients are not reduced here, and why."""
OPTIMIZERS = tuple(name for name in OPTIONS if name not in NOT_ON_RANKS)


def check_reduced(optimizer: str, given: str) -> None:
    """Raise :class:`InputError` where an optimizer is not reduced here; ``given``: the words before its name."""
    if why := NOT_ON_RANKS.get(optimizer):
        raise InputError(f"{given} {optimizer}: is not run on ranks, since {why}; allowed: {', '.join(OPTIMIZERS)}")


def cases(
    count: int,
    *,
    optimizers: Sequence[str] = OPTIMIZERS,
    implementations: Sequence[str] = tuple(REDUCTIONS),
    dtypes: Sequence[str] = (),
    situations: Sequence[str] = SITUATIONS,
    seed: int = 0,
    quick: bool = False,
) -> list[Case]:
    """The covering array of so many ranks: each optimizer with each situation of each reduction.

    Without ``dtypes``, these go round, so that each of them meets every optimizer and every situation. ``quick``: each
    situation once. Raises :class:`InputError` where an optimizer is not reduced here.
    """
    for name in optimizers:
        check_reduced(name, "--optimizer")
    chosen: list[Case] = []
    for k, optimizer in enumerate(optimizers):
        cells = list(_cells(k, optimizer, count, implementations, dtypes, situations))
        if quick:
            own = _sample(optimizers, count)[optimizer]
            cells = [cell for cell in cells if (cell[0], cell[2]) in own]
        chosen += [replace(case, ranks=count) for case in dealt(optimizer, cells, "cpu", seed, complete=False)]
    return list(dict.fromkeys(chosen))


def _sample(optimizers: Sequence[str], count: int) -> dict[str, list[tuple[str, str]]]:
    """Each situation of each reduction once, with the optimizers in turn, by optimizer."""
    sample: dict[str, list[tuple[str, str]]] = {name: [] for name in optimizers}
    every = [(r, s, how) for r, some in REDUCTIONS.items() for s, how in some.items() if how.possible(count)]
    for n, (reduction, situation, how) in enumerate(every):
        in_turn = [*optimizers[n % len(optimizers) :], *optimizers[: n % len(optimizers)]]
        name = next((name for name in in_turn if name not in how.without), None)
        if name is not None:
            sample[name].append((reduction, situation))
    return sample


def _cells(
    k: int,
    optimizer: str,
    count: int,
    implementations: Sequence[str],
    dtypes: Sequence[str],
    situations: Sequence[str],
) -> Iterator[tuple[str, str, str]]:
    """Reduction, dtype and situation of the k-th optimizer."""
    turn = itertools.count(k)
    for reduction in implementations:
        for situation, how in REDUCTIONS[reduction].items():
            if situation not in situations or optimizer in how.without or not how.possible(count):
                continue
            for dtype in dtypes or [DTYPES[next(turn) % len(DTYPES)]]:
                yield reduction, dtype, situation
