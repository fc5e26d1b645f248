"""What an optimizer class is held to: a reference by name, with the hyper-parameters that both know."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import numpy as np

from parity.errors import Option, OptionError, nearest
from parity.explain.feeds import Played
from parity.explain.motion import Motion
from parity.features.check.examined import Examined
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.errors import RefimplError
from refimpl.optimizers import OPTIMIZERS
from refimpl.types import Optimizer

FORM = 2.0
"""Form factor: code of unknown form."""
BY_NAME = {name.replace("_", ""): name for name in OPTIMIZERS}


def parse_against(text: str) -> tuple[str, dict[str, Any]]:
    """``adamw``, ``AdamW`` or ``sgd(nesterov=False)``: key in ``OPTIMIZERS``, and what is said of it alone."""
    name, _, options = text.strip().partition("(")
    key = BY_NAME.get(name.strip().lower().replace("_", ""))
    if key is None:
        known = ", ".join(OPTIMIZERS)
        raise OptionError(
            Option("against"), f" {text}: no such reference{nearest(name.lower(), OPTIMIZERS)}; known are {known}"
        )
    try:
        call = ast.parse(f"f({options}" if options else "f()", mode="eval").body
        assert isinstance(call, ast.Call) and not call.args
        own = {keyword.arg or "**": ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError, AssertionError):
        raise OptionError(Option("against"), f" {text}: allowed: a name, or name(option=value, …)") from None
    allowed = [f.name for f in fields(OPTIMIZERS[key])]
    if wrong := next((option for option in own if option not in allowed), None):
        raise OptionError(
            Option("against"), f" {text}: {key} has no {wrong}; it has {', '.join(allowed)}{nearest(wrong, allowed)}"
        )
    return key, own


def demanded(key: str, own: Mapping[str, Any], hyper: Mapping[str, Any], given: Mapping[str, Any]) -> Optimizer:
    """The reference: what is said of it alone, else what was asked of both, else the class's defaults, else its own.

    Raises :class:`InputError` where the reference does not take what was asked.
    """
    cls: Any = OPTIMIZERS[key]
    usual = {f.name: None if f.default is MISSING else f.default for f in fields(cls)}
    defaults = {n: _plain(value) for n, value in given.items() if n not in hyper and _fits(n, value, usual)}
    asked = {name: _plain(value) for name, value in hyper.items() if name in usual}
    if wrong := next((n for n in asked if usual[n] is not None and _length(asked[n]) != _length(usual[n])), None):
        raise OptionError(
            Option("against"), f" {key}: {wrong} = {asked[wrong]!r} has another form than there, {usual[wrong]!r}"
        )
    for named in ({**defaults, **asked, **own}, {**asked, **own}):  # defaults may mean something else there
        try:
            optimizer: Optimizer = cls(**named)
            return optimizer
        except (RefimplError, TypeError) as error:
            said = str(error)
    raise OptionError(Option("against"), f" {key}: the reference does not take these hyper-parameters: {said}")


def _fits(name: str, value: Any, usual: Mapping[str, Any]) -> bool:
    """A default of the same kind as the reference's."""
    if name not in usual or value is None:
        return False
    return _length(value) == _length(usual[name]) and not callable(value)


def _length(value: Any) -> int:
    """The length of a pair or a list; a number has the length 0."""
    return len(value) if isinstance(value, tuple | list) else 0


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def known_numbers(examined: Examined) -> dict[str, Any]:
    """The hyper-parameters that the class was given, as far as a reference may know them."""
    every = {f.name: f.default for cls in OPTIMIZERS.values() for f in fields(cls)}
    numbers = {name: _plain(value) for name, value in examined.given.items() if name in every and value is not None}
    return {name: value for name, value in numbers.items() if isinstance(value, bool | int | float | tuple | str)}


def motions(played: Played, dtype: str, *, scalar: str = "float64") -> list[Motion]:
    """Every parameter of a run, from its first gradient on; gradients are known exactly.

    ``scalar``: what numbers alone are computed in.
    """
    format = FORMATS[dtype]
    profile = Profile(compute=format, accumulate=format, scalar=FORMATS[scalar], form=FORM)
    return [
        Motion(
            parameter=name,
            weights=weights[played.late.get(name, 0) :],
            gradient=Bounded.tensor(played.gradients[name][played.late.get(name, 0) :], profile),
            format=format,
            profile=profile,
            factor=np.array(played.factor or [1.0] * (len(weights) - 1))[played.late.get(name, 0) :],
            changes=played.changes.get(name, ()),
        )
        for name, weights in played.weights.items()
    ]


def key_of(optimizer: Any) -> str:
    """The name of the reference in ``OPTIMIZERS``."""
    return next(key for key, cls in OPTIMIZERS.items() if cls is type(optimizer))
