"""What a class did in one situation, as plain data that its process sends back."""

from __future__ import annotations

from dataclasses import dataclass

from parity.explain.feeds import Played
from parity.step.expected import Disagreement


@dataclass(frozen=True, kw_only=True)
class Lived:
    """One situation, by its ``name``.

    ``played``: the steps of every parameter that had a gradient, from its first one on; ``dtype``: the narrowest format
    of its parameters. ``refused``: the words with which the class says that it does not take this; ``absent``: what it
    would need and has not. ``raised``: what a step raised, where it must not. ``unequal``: what must be equal and is
    not.
    """

    name: str
    dtype: str = "float64"
    played: Played | None = None
    refused: str = ""
    absent: str = ""
    raised: str = ""
    unequal: Disagreement | None = None
