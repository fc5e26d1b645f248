"""How much each of several differences did: one at a time, and its Shapley share of all of them together.

For a positive quantity Q of the run, as ½‖w‖² at its end, and differences D, v(S) = log Q with the differences of S in
place of what was asked. The share of i is its effect, averaged over all orders in which the differences may enter::

    φ_i = Σ_{S ⊆ D∖i} |S|!(|D| − |S| − 1)!/|D|! · (v(S ∪ i) − v(S)),       Σ φ_i = v(D) − v(∅)

Source: L. S. Shapley, "A Value for n-Person Games", 1953.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

from parity.step.design import Design
from parity.step.free import simulate

Change = Callable[[Design], Design | None]
MOST = 8
"""Differences of which all subsets are run."""


@dataclass(frozen=True)
class Effect:
    """The effect of one difference: Q with it alone ÷ Q without any, and its share φ of the log of the whole ratio."""

    name: str
    alone: float
    share: float


@dataclass(frozen=True)
class Effects:
    """``quantity``: its name; ``asked`` and ``executed``: its value without and with all differences."""

    quantity: str
    asked: float
    executed: float
    each: tuple[Effect, ...]

    @property
    def ratio(self) -> float:
        return self.executed / self.asked


def effects(design: Design, differences: Mapping[str, Change]) -> Effects | None:
    """The effects of the differences on ½‖w‖² at the end; None without any, with too many, or where a run diverges."""
    names = tuple(differences)
    if not 1 <= len(names) <= MOST:
        return None
    value: dict[frozenset[str], float] = {}
    for size in range(len(names) + 1):
        for some in combinations(names, size):
            changed: Design | None = design
            for name in some:
                changed = differences[name](changed) if changed is not None else None
            quantity = float(simulate(changed).norm[-1, 0] ** 2 / 2) if changed is not None else math.nan
            if not 0 < quantity < math.inf:
                return None
            value[frozenset(some)] = quantity
    nothing, everything = frozenset[str](), frozenset(names)
    each = [Effect(name, value[frozenset([name])] / value[nothing], _share(name, names, value)) for name in names]
    return Effects("½‖w‖² at the end", value[nothing], value[everything], tuple(each))


def _share(name: str, names: tuple[str, ...], value: Mapping[frozenset[str], float]) -> float:
    others = [other for other in names if other != name]
    share = 0.0
    for size in range(len(others) + 1):
        weight = math.factorial(size) * math.factorial(len(others) - size) / math.factorial(len(names))
        for some in combinations(others, size):
            without = frozenset(some)
            share += weight * (math.log(value[without | {name}]) - math.log(value[without]))
    return share
