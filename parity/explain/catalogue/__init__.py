"""The catalogue of named faults: each a change of the design of a correct run. Their words are in ``names.toml``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from typing import Any, Literal, get_args

import msgspec

from parity.errors import InputError, nearest
from parity.explain.catalogue import data, decays, gradients, losses, optimizers, penalties, schedules
from parity.explain.words import raw_words
from parity.step.design import Design

Kind = Literal["loss", "penalty", "optimizer", "gradient", "data", "schedule", "precision"]
Apply = Callable[[Design, float], Design | None]
"""The design with the fault in it, or None where it makes no sense; the number is one of ``values``."""


@dataclass(frozen=True, kw_only=True)
class Name:
    """A fault with a name; ``names.toml`` beside this file says what each part means."""

    id: str
    kind: Kind
    text: str
    change: str
    probe: str
    apply: Apply
    values: tuple[float, ...] = (math.nan,)
    free: bool = False
    rare: bool = False


OPERATIONS: Mapping[str, Callable[..., Design | None]] = {
    each.__name__: each
    for each in (
        *(losses.scaled_loss, losses.other_loss),
        *(penalties.penalty_times, penalties.other_penalty, penalties.extra_penalty, penalties.without_penalty),
        *(penalties.penalty_in_loss_too, penalties.penalty_on_bias, penalties.penalty_not_on_bias),
        *(decays.decayed, decays.coupled, decays.extra_decay),
        *(optimizers.number, optimizers.option, optimizers.beta, optimizers.betas_swapped, optimizers.edited),
        *(optimizers.without_momentum, optimizers.weight_norm, optimizers.state_reset, optimizers.stepped_twice),
        *(gradients.stale, gradients.accumulated, gradients.of_two_batches, gradients.previous_batch),
        *(gradients.times, gradients.twisted),
        *(data.batches, data.targets_moved, data.standardised, data.bias_frozen),
        *(schedules.advanced, schedules.schedule_ignored, schedules.extra_schedule),
        *(schedules.narrow_passes, schedules.kept),
    )
}
"""What a fault does to a design, by its name in ``names.toml``; its options follow the design and the number."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A fault as it is written, but for its words; see the head of ``names.toml``."""

    id: str
    operation: str = "edited"
    options: dict[str, Any] = field(default_factory=dict)
    values: tuple[float, ...] = (math.nan,)
    free: bool = False
    rare: bool = False

    def named(self, kind: Kind) -> Name:
        """The name of the fault, with the operation that makes it."""
        if self.operation not in OPERATIONS:
            known = f"allowed: {', '.join(OPERATIONS)}{nearest(self.operation, OPERATIONS)}"
            raise InputError(f"names.toml: {self.id}: operation {self.operation!r}: unknown; {known}")
        options = self.options or ({"edit": self.id} if self.operation == "edited" else {})
        words = raw_words(self.id)
        return Name(
            id=self.id,
            kind=kind,
            text=words.text,
            change=words.change,
            probe=words.probe,
            apply=partial(OPERATIONS[self.operation], **options),
            values=self.values,
            free=self.free,
            rare=self.rare,
        )


def _read() -> dict[str, Name]:
    source = files(__package__).joinpath("names.toml").read_text(encoding="utf-8")
    entries = msgspec.toml.decode(source, type=dict[Kind, tuple[Entry, ...]])
    return {entry.id: entry.named(kind) for kind in get_args(Kind) for entry in entries[kind]}


EVERY = _read()
NAMES: Mapping[str, Name] = {id: name for id, name in EVERY.items() if name.kind != "precision"}
"""Faults that change what is computed."""
NARROWER: Mapping[str, Name] = {id: name for id, name in EVERY.items() if name.kind == "precision"}
"""Faults that change how exactly it is computed: the same to the last digit but for roundings that may fall
otherwise."""

__all__ = ["NAMES", "NARROWER", "Name"]
