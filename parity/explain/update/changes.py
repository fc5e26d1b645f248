"""Every rule that differs from the asked one in a link, with the words for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.explain.update import decays, directions, divisors, gradients, momentum, squares
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


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a parameter's counters may depend on: ``index`` among ``parameters``, the ``epochs`` of its steps, and how
    many steps were made before its first gradient came."""

    index: int
    parameters: int
    epochs: Array
    late: int = 0


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
                    id=f"{kind}-{name.replace(' ', '-')}",
                    kind=kind,
                    text=link.text,
                    right=table[mine].text,
                    values={kind: name},
                )
    yield from _kept(asked)
    yield from _of_counts(asked, bool(np.ptp(epochs)) if len(epochs) else False)
    if asked.beta1 and asked.beta2:
        yield Change(
            id="betas-interchanged",
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
    if kind == "divisor" and "correct" in name:
        return bool(asked.second_counts)
    if kind == "direction" and "momentum" in name:
        return bool(asked.momentum)
    if kind == "direction" and name == "averaged":
        return bool(asked.beta1)
    if kind == "decay" and asked.square == "none":
        return name not in ("coupled in v", "divided")
    return not (kind == "decay" and asked.inner is not None and name == "coupled")


def _of_counts(asked: Rule, several_epochs: bool) -> Iterator[Change]:
    """The counter t of the bias correction, where there is one, counts something else."""
    which = [name for name in ("first_counts", "second_counts") if getattr(asked, name)]
    if not which:
        yield from _corrected(asked)
        return
    right = "the correction uses t = 1, 2, 3, … steps of this parameter"

    def change(name: str, text: str, counts: Callable[[Array, Place], Array], fields: list[str] = which) -> Change:
        def of(place: Place) -> Mapping[str, Any]:
            made = tuple(int(x) for x in counts(np.arange(1, len(place.epochs) + 1), place))
            return dict.fromkeys(fields, made)

        return Change(id=f"correction-{name}", kind="counts", text=text, right=right, by_place=of)

    yield change("none", "there is no bias correction: m and v are used as they are", lambda t, _: 0 * t)
    yield change(
        "frozen",
        "the step counter of the bias correction never advances: it stays at t = 1, so that m is divided by 1 − β₁ and "
        "v by 1 − β₂ in every step",
        lambda t, _: 0 * t + 1,
    )
    yield change("doubled", "the step counter advances twice a step: t = 2, 4, 6, …", lambda t, _: 2 * t)
    yield change("doubled-from-1", "the step counter advances twice a step: t = 1, 3, 5, …", lambda t, _: 2 * t - 1)
    yield change("ahead", "the step counter is one ahead: t = 2, 3, 4, …", lambda t, _: t + 1)
    yield change(
        "behind",
        "the step counter is one behind, so that the first step is not corrected: t = 0, 1, 2, …",
        lambda t, _: t - 1,
    )
    if several_epochs:
        yield change("epochs", "the bias correction counts epochs, not steps", lambda _, place: place.epochs + 1)
    yield change(
        "shared",
        "the parameters share one step counter, which advances once for each of them: with n parameters t = 1, n + 1, "
        "2n + 1, … for the first, 2, n + 2, … for the second",
        lambda t, place: place.parameters * (t - 1) + place.index + 1,
    )
    yield change(
        "late",
        "the step counter is that of the whole group: a parameter whose first gradient comes late is corrected as if "
        "its averages had been fed since the first step",
        lambda t, place: t + place.late,
    )
    if len(which) > 1:
        for one, symbol in zip(which, ("m", "v"), strict=True):
            yield change(f"none-of-{symbol}", f"{symbol} is not bias-corrected", lambda t, _: 0 * t, [one])
            yield change(
                f"frozen-of-{symbol}",
                f"the bias correction of {symbol} stays that of the first step",
                lambda t, _: 0 * t + 1,
                [one],
            )
        crossings = {"mv": ("m", "β₂", "v", "β₁"), "m": ("m", "β₂", "v", "β₂"), "v": ("m", "β₁", "v", "β₁")}
        for crossed, (one, its, other, others) in crossings.items():
            yield Change(
                id=f"correction-crossed-{crossed}",
                kind="counts",
                right="m is divided by 1 − β₁ᵗ and v by 1 − β₂ᵗ",
                text="the bias corrections are interchanged or made of one β: "
                f"{one} is divided by 1 − {its}ᵗ and {other} by 1 − {others}ᵗ",
                values={"crossed": crossed},
            )


def _corrected(asked: Rule) -> Iterator[Change]:
    """A bias correction that nobody asked for."""
    for name, beta, symbol, averaged in (
        ("second_counts", asked.beta2, "v", asked.square in ("average", "centred")),
        ("first_counts", asked.beta1, "m", bool(asked.beta1) and "lion" not in asked.average),
    ):
        if averaged and beta and asked.inner is None:
            yield Change(
                id=f"correction-of-{symbol}",
                kind="counts",
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
