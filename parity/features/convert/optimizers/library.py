"""The libraries whose optimizers are compared, each in a file: its table, and how it is run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from parity.errors import InputError, nearest
from parity.explain.feeds import Feed
from parity.features.convert.optimizers.writing import Writing
from refimpl.types import Array


class Library(Protocol):
    """A module of this folder. ``WRITINGS``: its optimizers. ``SCALARS``: of each dtype that it is run in, the format
    of numbers such as 1 − βᵗ. ``EXTRA``: which installs it."""

    WRITINGS: Sequence[Writing]
    SCALARS: Mapping[str, str]
    EXTRA: str

    def maker(self, name: str) -> Any:
        """The class or function of an optimizer. Raises ImportError where the library is not installed."""

    def run(self, name: str, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Mapping[str, Array]:
        """The weights before each step and at the end, ``(K + 1, …)`` by parameter, exact in float64."""


LIBRARIES: Mapping[str, str] = {
    "torch": "of_torch",
    "optax": "of_optax",
    "keras": "of_keras",
    "mlx": "of_mlx",
    "timm": "of_timm",
    "pytorch_optimizer": "of_pytorch_optimizer",
    "torch_optimizer": "of_torch_optimizer",
    "optimi": "of_optimi",
}


def library(name: str) -> Library:
    """The library of that name. Raises :class:`InputError`."""
    if name not in LIBRARIES:
        known = ", ".join(LIBRARIES)
        raise InputError(f"{name}: no library whose optimizers are known; allowed: {known}{nearest(name, LIBRARIES)}")
    module: Any = import_module(f"parity.features.convert.optimizers.{LIBRARIES[name]}")
    return module  # type: ignore[no-any-return]  # a module that follows the protocol


def is_optimizer(name: str) -> bool:
    """Whether this names a library's optimizer, as ``torch.AdamW``; ``torch`` and ``sklearn.Ridge`` do not."""
    place, _, optimizer = name.partition(".")
    return bool(optimizer) and place in LIBRARIES


def named(name: str) -> tuple[Library, list[Writing]]:
    """A library, and the ways of writing of one of its optimizers, ``torch.AdamW``. Raises :class:`InputError`."""
    place, _, optimizer = name.partition(".")
    known = library(place)
    ways = [writing for writing in known.WRITINGS if writing.name.lower() == optimizer.lower()]
    if not ways:
        names = list(dict.fromkeys(writing.name for writing in known.WRITINGS))
        has = f"known are {', '.join(names)}{nearest(optimizer, names)}"
        raise InputError(f"{name}: {place} has no {optimizer} here; {has}")
    return known, ways


def defaults(known: Library, name: str) -> dict[str, Any]:
    """The default values of an optimizer, by the library's own words."""
    parameters = inspect.signature(known.maker(name)).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}


def stacked(moments: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
    """Recorded weights over the steps."""
    return {name: np.stack([np.asarray(moment[name], float) for moment in moments]) for name in moments[0]}
