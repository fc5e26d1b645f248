"""Which hyper-parameter an optimizer class refuses, found by leaving each one out.

Imported in the process of the class only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from parity.errors import Option, OptionError

STAND_IN = 0.01
"""The value that is tried in the place of one that has no default."""


def blame(code: Any, hyper: Mapping[str, Any], works: Callable[[Mapping[str, Any]], bool], said: str) -> None:
    """Raise :class:`InputError`, one line, where a class steps with other hyper-parameters and not with these.

    ``works``: whether it steps with some. ``said``: its own words for these.
    """
    name = getattr(code, "__name__", type(code).__name__)
    words = said.strip().splitlines()[0] if said.strip() else "no reason"
    for wrong, value in hyper.items():
        others = {other: its for other, its in hyper.items() if other != wrong}
        if works(others) or works({**others, wrong: STAND_IN}):
            refused = f"{name} does not take it and says {words}{_usual(code, wrong)}"
            raise OptionError(Option("hyper"), f" {wrong}={value}: {refused}; give a value that it takes")
    if len(hyper) > 1 and works({}):
        for wrong, value in hyper.items():
            if not works({wrong: value}):
                refused = f"{name} does not take it, nor another that was given, and says {words}"
                raise OptionError(Option("hyper"), f" {wrong}={value}: {refused}; give values that it takes")
        given = ", ".join(f"{wrong}={value}" for wrong, value in hyper.items())
        together = f"{name} does not take these together and says {words}; give others, or leave one out"
        raise OptionError(Option("hyper"), f" {given}: {together}")


def _usual(code: Any, name: str) -> str:
    """What is taken where nothing is given; "" where the signature does not say it."""
    try:
        parameter = inspect.signature(code).parameters.get(name)
    except (TypeError, ValueError):  # of what is not written in Python
        return ""
    if parameter is None:
        return ""
    return "; it has no default" if parameter.default is parameter.empty else f"; its default is {parameter.default!r}"
