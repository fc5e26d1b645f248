"""What the tests of ``parity check`` share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from parity.explain.update.explain import Search
from parity.features.check import identify
from parity.features.check.life import live
from refimpl.optimizers import OPTIMIZERS

Through = Callable[..., None]


@pytest.fixture
def few_references(monkeypatch: pytest.MonkeyPatch, slow_tier: bool) -> None:
    """In the fast tier the search for what a class is ends after six references, where the others are not the point."""
    if slow_tier:
        return
    few = ("sgd", "sgdw", "adam", "adamw", "rmsprop", "muon")
    monkeypatch.setattr(identify, "OPTIMIZERS", {name: OPTIMIZERS[name] for name in few})


@pytest.fixture
def few_situations(monkeypatch: pytest.MonkeyPatch, slow_tier: bool) -> None:
    """In the fast tier a class is led through four situations, where its life is not the point."""
    if not slow_tier:
        monkeypatch.setattr(live, "LIFE", ("twins", "groups", "scheduled", "added-later"))


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Through:
    """Lead classes through these situations only."""
    return lambda *names: monkeypatch.setattr(live, "LIFE", names)


@pytest.fixture
def no_search(monkeypatch: pytest.MonkeyPatch, slow_tier: bool) -> None:
    """In the fast tier no cause of an update is searched for, where it is known that none explains it."""
    if not slow_tier:
        monkeypatch.setattr(Search, "_first", lambda *_: [])
        monkeypatch.setattr(Search, "_two", lambda _: iter(()))
