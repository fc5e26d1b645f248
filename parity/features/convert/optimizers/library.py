"""The libraries whose optimizers are compared, each in a file: its table, and how it is run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

from parity.errors import InputError, nearest
from parity.explain.feeds import Feed
from parity.features.convert.optimizers.writing import Writing
from refimpl.types import Array

Moments = Sequence[Mapping[str, Array]]
"""Weights by parameter, before each step and at the end."""


class Library(Protocol):
    """A module of this folder, or a package in ``of_torch``. ``MODULE``: where its optimizers are imported from,
    ``WRITINGS``: which they are. ``SCALARS``: of each dtype that it is run in, the format of numbers such as 1 − βᵗ.
    ``EXTRA``: which installs it."""

    MODULE: str
    WRITINGS: Sequence[Writing]
    SCALARS: Mapping[str, str]
    EXTRA: str

    def maker(self, name: str) -> Any:
        """The class or function of an optimizer. Raises ImportError where the library is not installed."""

    def run(self, name: str, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Moments:
        """The weights before each step and at the end, exact in float64."""


LIBRARIES = ("torch", "optax", "keras", "mlx", "timm", "pytorch_optimizer", "torch_optimizer", "optimi")


def library(name: str) -> Library:
    """The library of that name. Raises :class:`InputError`."""
    if name not in LIBRARIES:
        known = ", ".join(LIBRARIES)
        raise InputError(f"{name}: no library whose optimizers are known; allowed: {known}{nearest(name, LIBRARIES)}")
    own = name in ("optax", "keras", "mlx")
    module: Any = import_module(f"parity.features.convert.optimizers.of_{name if own else 'torch'}")
    return module if own else module.PACKAGES[name]  # type: ignore[no-any-return]  # each follows the protocol


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
