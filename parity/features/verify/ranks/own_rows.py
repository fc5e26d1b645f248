"""Adafactor with the norms of each rank's own rows, as torch computes it where a parameter is divided over ranks.

Of the rows S of a rank, with n elements of the whole parameter::

    RMS(w) = √(Σ_{i∈S} wᵢ²/n)      RMS(u) = √(Σ_{i∈S} uᵢ²/n)

That is the reference's step of a parameter whose other rows are zeros, and so are their gradients and states: zeros add
nothing to a norm, and n still counts them. It has the derived bound of that step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from parity.features.verify.case import Result
from parity.features.verify.ranks.record import Record
from parity.judge.update import Update, check
from refimpl.types import Array

WITH_NORMS = ("Adafactor",)
"""Optimizers whose step of an element depends on a norm of all."""
SAID = "with the norms of each rank's own rows, every step is as it must be"


def explained_by_own_rows(result: Result, updates: Sequence[Update], records: Sequence[Record]) -> Result:
    """The result, which says so where each step that is not that of the whole parameter is that of each rank's rows."""
    if result.case.optimizer not in WITH_NORMS or "weight" not in dict(result.wrong):
        return result
    first = first_rows(records)
    if not all(agrees(update) or by_own_rows(update, first.get(update.parameter, ())) for update in updates):
        return result
    wrong = tuple((kind, f"{text}; {SAID}" if kind == "weight" else text) for kind, text in result.wrong)
    return replace(result, wrong=wrong)


def first_rows(records: Sequence[Record]) -> Mapping[str, Sequence[int]]:
    """The first row of each rank, by parameter that is divided, each once."""
    shards = [record.steps[0].shards for record in records]
    return {name: sorted({some[name].first for some in shards}) for name in shards[0]}


def agrees(update: Update) -> bool:
    """Whether every number of a step lies within its bound."""
    return not any(bool(np.any(piece.share > 1)) for piece in check(update))


def by_own_rows(update: Update, first: Sequence[int]) -> bool:
    """Whether a step is that of each rank's rows, which begin there."""
    return len(first) > 1 and all(map(agrees, parts(update, first)))


def parts(update: Update, first: Sequence[int]) -> Iterator[Update]:
    """The step of each rank's rows, beside zeros."""
    rows = update.before.shape[1]
    for begin, end in zip(first, [*first[1:], rows], strict=True):
        own = np.arange(rows).reshape(1, rows, *(1,) * (update.before.ndim - 2))
        inside = (own >= begin) & (own < end)

        def only(array: Array, inside: Array = inside) -> Array:
            return np.where(inside, array, 0.0) if array.shape == update.before.shape else array

        yield replace(
            update,
            before=only(update.before),
            gradient=only(update.gradient),
            state={key: only(value) for key, value in update.state.items()},
            after=only(update.after),
            state_after={key: only(value) for key, value in update.state_after.items()},
        )
