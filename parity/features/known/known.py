"""All facts about torch by id, each from a file of ``facts/``: in what torch is wrong, and what surprises."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from parity.features.known import facts
from parity.features.known.fact import Fact

KNOWN: dict[str, Fact] = {
    fact.id: fact
    for fact in (import_module(f"{facts.__name__}.{file.name}").FACT for file in iter_modules(facts.__path__))
}

__all__ = ["KNOWN", "Fact"]
