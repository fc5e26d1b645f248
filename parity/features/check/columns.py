"""What the columns of a log are called: one quantity has many usual names.

A name is read whatever its case, the spaces around it and the marks between its words: ``Train Loss``, ``train/loss``
and ``train_loss`` are one. A column that more than one quantity could be, such as ``grad_norm``, is not used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parity.errors import InputError

NAMES: Mapping[str, frozenset[str]] = {
    "loss": frozenset({"loss", "trainloss", "trainingloss", "losstrain", "batchloss", "lossbatch"}),
    "norm": frozenset({"norm", "weightnorm", "weightsnorm", "normw", "normweight", "wnorm", "l2norm", "||w||", "‖w‖"}),
    "weight": frozenset({"weight", "weights", "w"}),
    "bias": frozenset({"bias", "b", "intercept"}),
}
"""Each quantity's names, in small letters and without spaces, underscores, hyphens, slashes and dots."""
COUNTERS = frozenset({"", "step", "steps", "globalstep", "iteration", "iter", "batch", "epoch", "row", "index"})
"""Columns that count the rows."""
ELEMENT = re.compile(r"(weights?|w|bias|b)(?:\[0\](?=\[)|\[0, ?(?=\d))?[\[(._ ]?(\d+)[\])]?")
"""``weight[3]``, ``w3``, ``weights_3``, ``weight.3``; torch's ``weight[0, 3]`` and ``weight[0][3]``."""


@dataclass(frozen=True)
class Columns:
    """Positions of the columns that are used, by quantity, a weight's numbers in their order; and names not used."""

    positions: Mapping[str, tuple[int, ...]]
    unused: tuple[str, ...]


def columns(place: str, names: Sequence[str]) -> Columns:
    """Read a header. Raises :class:`InputError` where two columns have equal claims to be one quantity."""
    claims: dict[tuple[str, int], list[int]] = {}
    for position, name in enumerate(names):
        if (meant := _meant(name)) is not None:
            claims.setdefault(meant, []).append(position)
    chosen = {meant: _chosen(place, meant[0], names, some) for meant, some in claims.items()}
    positions: dict[str, tuple[int, ...]] = {}
    for quantity in NAMES:
        own = sorted((index, position) for (name, index), position in chosen.items() if name == quantity)
        if not own:
            continue
        indices = [index for index, _ in own]
        if len(own) > 1 and indices not in (list(range(len(own))), list(range(1, len(own) + 1))):
            given = ", ".join(names[position] for _, position in own[:8])
            raise InputError(f"{place}: the columns of {quantity} are {given}; number them from 0 without gaps")
        positions[quantity] = tuple(position for _, position in own)
    used = {position for some in positions.values() for position in some}
    unused = tuple(n.strip() for i, n in enumerate(names) if i not in used and _plain(n) not in COUNTERS)
    return Columns(positions, unused)


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-/.]+", "", name.strip("\ufeff \t").casefold())


def _meant(name: str) -> tuple[str, int] | None:
    """The quantity and the element that a name stands for; −1 for all of it."""
    for quantity, known in NAMES.items():
        if _plain(name) in known:
            return quantity, -1
    if (match := ELEMENT.fullmatch(name.strip("\ufeff \t").casefold())) is not None:
        return ("weight" if match[1].startswith("w") else "bias"), int(match[2])
    return None


def _chosen(place: str, quantity: str, names: Sequence[str], claims: Sequence[int]) -> int:
    """The column with the plain name of a quantity, where several columns may be that quantity."""
    exact = [position for position in claims if _plain(names[position]) == quantity]
    some = exact or list(claims)
    if len(some) > 1:
        given = " and ".join(names[position].strip() for position in some[:4])
        raise InputError(f"{place}: {given} may each be the {quantity}; leave one")
    return some[0]
