"""Every rule that differs from the asked one in a link, with the words for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from parity.explain.update import counts, decays, directions, divisors, gradients, momentum, squares
from parity.explain.update.counts import Place
from parity.explain.update.rule import Rule
from refimpl.types import Array

TABLES: Mapping[str, Mapping[str, Any]] = {
    "average": momentum.TABLE,
    "square": squares.TABLE,
    "divisor": divisors.TABLE,
    "decay": decays.TABLE,
    "direction": directions.TABLE,
    "gradient": gradients.TABLE,
}


NAMES: Mapping[tuple[str, str], str] = {
    ("average", "none"): "momentum-missing",
    ("average", "buffer → average"): "momentum-averaged",
    ("average", "nesterov buffer → buffer"): "nesterov-missing",
    ("average", "buffer dampened"): "first-step-dampened",
    ("average", "nesterov buffer"): "nesterov-extra",
    ("average", "buffer → rate inside"): "lr-times-momentum",
    ("average", "nesterov buffer → rate inside nesterov"): "lr-times-momentum",
    ("square", "amsgrad → average"): "amsgrad-missing",
    ("square", "amsgrad"): "amsgrad-extra",
    ("square", "amsgrad corrected"): "amsgrad-after-correction",
    ("square", "average → undamped"): "second-moment-undecayed",
    ("square", "amsgrad → amsgrad undamped"): "second-moment-undecayed",
    ("divisor", "inside"): "eps-inside-root",
    ("divisor", "before correction"): "eps-before-correction",
    ("divisor", "without ε"): "eps-missing",
    ("decay", "none"): "penalty-missing",
    ("decay", "decoupled in v"): "second-moment-of-decayed-gradient",
    ("gradient", "negated"): "maximize",
    ("correction", "none"): "bias-correction-missing-both",
    ("correction", "none-of-m"): "bias-correction-missing-first",
    ("correction", "none-of-v"): "bias-correction-missing-second",
    ("correction", "lagging"): "bias-correction-late",
    ("betas", "interchanged"): "betas-swapped",
}
"""Links that have a name in the catalogue, some in the place of a certain one only; others are called by their kind and
their own name."""


def name_of(kind: str, link: str, asked: str = "") -> str:
    """What a link in the place of the asked one is called."""
    found = NAMES.get((kind, f"{asked} → {link}"), NAMES.get((kind, link)))
    return found or f"{kind}-{link.replace(' ', '-')}"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One link replaced. ``kind``: which; ``values``: fields of the rule, the same for every parameter, or made for
    the place of one."""

    id: str
    kind: str
    text: str
    right: str
    values: Mapping[str, Any] = field(default_factory=dict)
    by_place: Callable[[Place], Mapping[str, Any]] | None = None

    def of(self, rule: Rule, place: Place) -> Rule:
        """The rule with the link replaced."""
        own = self.values if self.by_place is None else self.by_place(place)
        return rule.having(**own)


def changes_of(asked: Rule, epochs: Array) -> Iterator[Change]:
    """Each link that the asked rule has, replaced by each other one of its table. ``epochs``: of the steps."""
    for kind, table in TABLES.items():
        mine = getattr(asked, kind)
        if not _has(asked, kind):
            continue
        for name, link in table.items():
            if name != mine and _makes_sense(asked, kind, name):
                yield Change(
                    id=name_of(kind, name, mine),
                    kind=kind,
                    text=link.text,
                    right=table[mine].text,
                    values={kind: name},
                )
    yield from _kept(asked)
    yield from _of_counts(asked, bool(np.ptp(epochs)) if len(epochs) else False)
    if asked.beta1 and asked.beta2:
        yield Change(
            id=name_of("betas", "interchanged"),
            kind="betas",
            text="β₁ and β₂ are interchanged",
            right="betas = (β₁ of m, β₂ of v)",
            values={"beta1": asked.beta2, "beta2": asked.beta1},
        )


def _has(asked: Rule, kind: str) -> bool:
    """Whether the asked rule has such a link at all."""
    if kind == "direction":
        return True
    if kind == "decay":
        return bool(asked.weight_decay)
    if asked.inner is not None:
        return False
    if kind == "average":
        return True
    return kind == "gradient" or asked.square != "none"


def _makes_sense(asked: Rule, kind: str, name: str) -> bool:
    """Links that need a number which the asked rule lacks are left out."""
    if "correct" in name and not asked.second_counts:
        return False
    if kind == "average":
        if not asked.beta1:
            return name == "running sum"
        if name == "sum" or name.startswith("buffer"):
            return ("buffer" in asked.average) == (name != "sum") and (
                name != "buffer dampened" or asked.dampening != 0
            )
        return not (name.startswith("lion") and not asked.beta2)
    if kind == "square":
        of_m = name.startswith(("belief", "of momentum"))
        return (bool(asked.beta2) or name in ("none", "now", "sum")) and (bool(asked.beta1) or not of_m)
    if kind == "direction" and "momentum" in name:
        return bool(asked.momentum)
    if kind == "direction" and name == "averaged":
        return bool(asked.beta1)
    if kind == "decay" and name == "decoupled in v" and asked.decay != "decoupled":
        return False
    if kind == "decay" and asked.square == "none":
        return name not in ("coupled in v", "decoupled in v", "divided")
    return not (kind == "decay" and asked.inner is not None and name == "coupled")


def _of_counts(asked: Rule, several_epochs: bool) -> Iterator[Change]:
    """The counter t of the bias correction, where there is one, counts something else."""
    which = [symbol for symbol, field in counts.FIELDS.items() if getattr(asked, field)]
    if not which:
        yield from _corrected(asked)
        return
    for name, count in counts.TABLE.items():
        if (name == "epochs" and not several_epochs) or (count.only and len(which) == 1):
            continue
        yield Change(
            id=name_of("correction", name),
            kind="correction",
            text=count.text,
            right="the correction uses t = 1, 2, 3, … steps of this parameter",
            by_place=partial(_counted, count, [counts.FIELDS[symbol] for symbol in count.only or which]),
        )
    for crossed, text in counts.CROSSED.items() if len(which) > 1 else ():
        yield Change(
            id=f"correction-crossed-{crossed}",
            kind="correction",
            text=text,
            right="m is divided by 1 − β₁ᵗ and v by 1 − β₂ᵗ",
            values={"crossed": crossed},
        )


def _counted(count: counts.Count, fields: Sequence[str], place: Place) -> Mapping[str, Any]:
    return dict.fromkeys(fields, tuple(int(t) for t in count.of(place)))


def _corrected(asked: Rule) -> Iterator[Change]:
    """A bias correction that nobody asked for."""
    for name, beta, symbol, averaged in (
        ("second_counts", asked.beta2, "v", asked.square in ("average", "centred")),
        ("first_counts", asked.beta1, "m", bool(asked.beta1) and "lion" not in asked.average),
    ):
        if averaged and beta and asked.inner is None:
            yield Change(
                id=f"correction-of-{symbol}",
                kind="correction",
                text=f"{symbol} is bias-corrected, divided by 1 − βᵗ, which was not asked",
                right="no bias correction",
                by_place=lambda place, name=name: {name: tuple(range(1, len(place.epochs) + 1))},  # type: ignore[misc]
            )


def _kept(asked: Rule) -> Iterator[Change]:
    """What is averaged is kept in a format of fewer digits."""
    of = {"kept_m": ("momentum", bool(asked.beta1)), "kept_v": ("v", asked.square != "none")}
    for name, (what, has) in of.items():
        for format in ("bfloat16", "float16", "float32") if has and asked.inner is None else ():
            yield Change(
                id=f"kept-{format}-{name[-1]}",
                kind="kept",
                text=f"{what} is kept in {format}: it is rounded to that after each step",
                right=f"keep {what} in the format of the weights",
                values={name: format},
            )
