"""What the counter t of the bias corrections 1 − β₁ᵗ of m and 1 − β₂ᵗ of v counts; 0 stands for no correction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from parity.explain.words import words_of
from refimpl.types import Array

FIELDS = {"m": "first_counts", "v": "second_counts"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a parameter's counters may depend on: ``index`` among ``parameters``, the ``epochs`` of its steps, and how
    many steps were made before its first gradient came; ``lates``: the same of all parameters."""

    index: int
    parameters: int
    epochs: Array
    late: int = 0
    lates: tuple[int, ...] = ()

    @property
    def t(self) -> Array:
        return np.arange(1, len(self.epochs) + 1)

    @property
    def turns(self) -> Array:
        """How many updates were made, of all parameters in turn, when this one is updated in each of its steps."""
        steps = self.late + np.arange(len(self.epochs))
        lates = np.array(self.lates or (0,) * self.parameters)
        active = lates <= np.arange(steps[-1] + 1)[:, None]  # (steps, parameters)
        before: Array = np.cumsum(active.sum(axis=1)) - active.sum(axis=1)
        own: Array = active[steps, : self.index + 1].sum(axis=1)
        return before[steps] + own


@dataclass(frozen=True)
class Count:
    """``of``: t of each step at a place. ``only``: the one of ``m`` and ``v`` of which it is, if not of both."""

    of: Callable[[Place], Array]
    text: str
    only: str = ""


TABLE: Mapping[str, Count] = {
    "none": Count(lambda p: 0 * p.t, words_of("bias-correction-missing-both").text),
    "frozen": Count(
        lambda p: 0 * p.t + 1,
        "the step counter of the bias correction never advances: it stays at t = 1, so that m is divided by 1 − β₁ and "
        "v by 1 − β₂ in every step",
    ),
    "doubled": Count(lambda p: 2 * p.t, "the step counter advances twice a step: t = 2, 4, 6, …"),
    "doubled-from-1": Count(lambda p: 2 * p.t - 1, "the step counter advances twice a step: t = 1, 3, 5, …"),
    "ahead": Count(lambda p: p.t + 1, "the step counter is one ahead: t = 2, 3, 4, …"),
    "behind": Count(
        lambda p: p.t - 1, "the step counter is one behind, so that the first step is not corrected: t = 0, 1, 2, …"
    ),
    "lagging": Count(
        lambda p: np.maximum(p.t - 1, 1),
        words_of("bias-correction-late").text,
    ),
    "epochs": Count(lambda p: p.epochs + 1, "the bias correction counts epochs, not steps"),
    "shared": Count(
        lambda p: p.turns,
        "the parameters share one step counter, which advances once for each of them: with n parameters t = 1, n + 1, "
        "2n + 1, … for the first, 2, n + 2, … for the second",
    ),
    "late": Count(
        lambda p: p.t + p.late,
        "the step counter is that of the whole group: a parameter whose first gradient comes late is corrected as if "
        "its averages had been fed since the first step",
    ),
    **{
        f"none-of-{one}": Count(lambda p: 0 * p.t, words_of(f"bias-correction-missing-{which}").text, one)
        for one, which in zip(FIELDS, ("first", "second"), strict=True)
    },
    **{
        f"frozen-of-{one}": Count(
            lambda p: 0 * p.t + 1, f"the bias correction of {one} stays that of the first step", one
        )
        for one in FIELDS
    },
}
CROSSED: Mapping[str, str] = {
    name: f"the bias corrections are interchanged or made of one β: m is divided by 1 − {first}ᵗ and v by 1 − {second}ᵗ"
    for name, first, second in (("mv", "β₂", "β₁"), ("m", "β₂", "β₂"), ("v", "β₁", "β₁"))
}
"""Corrections that are made with the β of the other average."""
