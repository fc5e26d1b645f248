"""Hyper-parameters as they are written on the command line, ``lr=0.01``."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from parity.errors import Option, OptionError

LARGEST = 1e30
"""Of a hyper-parameter: the class is tried in float32, too, where numbers above 3.4e38 overflow."""
NOT_FINITE = re.compile(r"(?<!\w)(inf|infinity|nan)(?!\w)", re.IGNORECASE)


def check_hyper(hyper: Mapping[str, Any]) -> None:
    """Raise :class:`InputError` for numbers, also in tuples and lists, that no optimizer can step with."""
    for name, value in hyper.items():
        for number in value if isinstance(value, tuple | list) else (value,):
            word = isinstance(number, str) and NOT_FINITE.search(number)
            if word or (isinstance(number, int | float) and not abs(number) <= LARGEST):
                given = f"an integer of {number.bit_length()} bits" if isinstance(number, int) else number
                raise OptionError(
                    Option("hyper"), f" {name}={given}: allowed: finite numbers, at most {LARGEST:g} in size"
                )


def hyper_parameters(words: Sequence[str]) -> dict[str, Any]:
    """``lr=0.01`` → ``{"lr": 0.01}``; values are Python literals, anything else is a text."""
    hyper: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise OptionError(Option("hyper"), f" {word}: allowed: name=value, such as lr=0.01 or betas=(0.9,0.99)")
        if name in hyper:
            raise OptionError(Option("hyper"), f" {name}: given twice")
        try:
            hyper[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            hyper[name] = value
    return hyper
