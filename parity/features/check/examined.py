"""The record of an optimizer class that its process sends back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from parity.explain.feeds import Played
from parity.explain.finding import Finding
from parity.features.check.life.lived import Lived


@dataclass(frozen=True, kw_only=True)
class Examined:
    """``given``: hyper-parameters, as asked or else the constructor's ``defaults``. ``runs``: of every feed, in
    float64; ``dtypes``: of the drawn one in each dtype, or what it ``raised`` there. ``refusal``: its words, where it
    takes no dense gradients. ``shapes``: of the parameters that it takes. ``keeps_float32``: a number of that format,
    although the parameters are float64. ``faults``: rules of conduct that were broken.
    ``lives``: what it did in each situation. ``state``: which tensor of its state is held to which of the reference's.
    ``torchs``: its step is that of a class of torch. ``bases``: the names of the classes that it is derived from, in
    small letters.
    """

    name: str
    given: Mapping[str, Any]
    defaults: Mapping[str, Any]
    refusal: str = ""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    runs: Mapping[str, Played] = field(default_factory=dict)
    dtypes: Mapping[str, Played] = field(default_factory=dict)
    raised: Mapping[str, str] = field(default_factory=dict)
    keeps_float32: bool = False
    faults: tuple[Finding, ...] = ()
    lives: tuple[Lived, ...] = ()
    state: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    torchs: bool = False
    bases: tuple[str, ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters of the run by which the class is judged."""
        return tuple(self.runs["drawn"].weights)

    def shape_of(self, name: str) -> tuple[int, ...]:
        """The shape of one of them."""
        return self.runs["drawn"].weights[name].shape[1:]
