"""The life that a class is led through: the situations of real training, one after the other. Imported in its process
only."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from parity.errors import Unsupported, is_ours
from parity.features.check.drive import Driver
from parity.features.check.life.lived import Lived
from parity.features.check.life.recorder import Recorder
from parity.record.refusals import Broken, Vacuous
from parity.situations import SITUATIONS
from parity.step.expected import compare

LIFE = (
    "twins",
    "groups",
    "groups-of-momenta",
    "scheduled",
    "scheduled-decay",
    "scheduled-momentum",
    "zero-gradient",
    "zero-gradient-first",
    "no-gradient",
    "no-gradients",
    "requires-no-grad",
    "unfrozen-late",
    "frozen-midway",
    "added-later",
    "zero-dim",
    "empty",
    "strided",
    "transposed",
    "strided-gradient",
    "maximize",
    "closure",
    "reload",
    "reload-wider",
    "thousand",
)
"""The situations, in the order in which they are told of."""
FROM_NARROW = ("reload-wider",)
"""Those whose parameters are float32 at first, and are judged as such."""


def live(driver: Driver, vectors: bool, given: Mapping[str, Any]) -> Iterator[Lived]:
    """Each situation. ``vectors``: whether the class takes parameters of one axis; ``given``: its hyper-parameters."""
    for name in LIFE:
        narrow = name in FROM_NARROW
        worker = driver.narrow() if narrow else driver
        if name == "closure" and not takes_closure(driver.cls):
            lived = Lived(name=name, absent="its step() takes no closure")
        elif name == "thousand" and driver.multiplies:
            lived = Lived(name=name, absent="each of its steps is judged by many products of matrices")
        elif name in ("closure", "no-gradients") and driver.closure:
            lived = Lived(name=name, absent="its step() asks a closure for gradients, as often as it wants")
        else:
            lived = _lived(name, Recorder(worker, vectors, given))
        yield replace(lived, dtype="float32") if narrow else lived


def takes_closure(cls: Any) -> bool:
    """Whether ``step`` has an argument for it."""
    parameters = inspect.signature(cls.step).parameters.values()
    return len(parameters) > 1 or any(one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters)


def _lived(name: str, session: Recorder) -> Lived:
    """One situation. What the class raises is a fault, but for words of refusal before its first step.

    Raises what our own code raises.
    """
    lived = Lived(name=name)
    try:
        unequal = [one.disagreement for one in compare(SITUATIONS[name](session)) if one.disagreement]
    except (Unsupported, Vacuous) as refusal:
        return replace(lived, refused=str(refusal)) if session.refused else replace(lived, absent=str(refusal))
    except Exception as error:
        if is_ours((error.__cause__ or error) if isinstance(error, Broken) else error):
            raise
        said = str(error) if isinstance(error, Broken) else f"{type(error).__name__}: {error}".splitlines()[0]
        words = isinstance(error, NotImplementedError | ValueError) and not session.number
        return replace(lived, refused=said) if words else replace(lived, raised=said)
    return replace(lived, played=session.played(), unequal=unequal[0] if unequal else None)
