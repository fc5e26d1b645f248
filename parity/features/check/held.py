"""What an optimizer class is held to: a reference by name, with the hyper-parameters that both know."""

from __future__ import annotations

import ast
import math
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np

from parity.errors import Option, OptionError, nearest
from parity.explain.feeds import Played
from parity.explain.joint import joined
from parity.explain.motion import Motion
from parity.features.check.examined import Examined
from parity.judge.stages import Product
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.errors import RefimplError
from refimpl.optimizers import OPTIMIZERS
from refimpl.optimizers.wrappers import SAM, WRAPPERS, Lookahead
from refimpl.types import Joint, Optimizer

FORM = 2.0
"""Form factor: code of unknown form."""
BY_NAME = {name.replace("_", ""): name for name in OPTIMIZERS}
REFERENCES: Mapping[str, Any] = ChainMap[str, Any](OPTIMIZERS, WRAPPERS)
KNOWN = ChainMap(BY_NAME, {name: name for name in WRAPPERS})
"""All that a class may be held to; wrappers only around one of the others."""


OF_MATRICES = ("muon",)
"""References of matrices alone, beside which another one has the other parameters."""
REST = "adamw"
"""The reference of what is no matrix, where none was asked for."""


@dataclass(frozen=True)
class Demand:
    """A reference by its ``key``, and what is said of it alone.

    ``inner``: what it is put around, or what has the parameters that are no matrices, if anything.
    """

    key: str
    own: Mapping[str, Any]
    inner: Demand | None = None


def parse_against(text: str) -> Demand:
    """``adamw``, ``AdamW``, ``sgd(nesterov=False)``, ``lookahead(sgd, k=5)``, or ``muon(adamw)`` for what is no matrix.

    Raises :class:`InputError`.
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise _no_call(text) from None
    return _demand(node, text)


def _no_call(text: str) -> OptionError:
    return OptionError(Option("against"), f" {text}: allowed: a name, or name(option=value, …)")


def _demand(node: ast.expr, text: str) -> Demand:
    call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
    if not isinstance(call.func, ast.Name) or not all(isinstance(one, ast.Name | ast.Call) for one in call.args[:2]):
        raise _no_call(text)
    name = call.func.id
    key = KNOWN.get(name.lower().replace("_", ""))
    if key is None:
        known = ", ".join(KNOWN.values())
        raise OptionError(
            Option("against"), f" {text}: no such reference{nearest(name.lower(), KNOWN.values())}; known are {known}"
        )
    try:
        own = {keyword.arg or "**": ast.literal_eval(keyword.value) for keyword in call.keywords}
    except ValueError:
        raise _no_call(text) from None
    allowed = [f.name for f in fields(REFERENCES[key]) if f.name != "inner"]
    if wrong := next((option for option in own if option not in allowed), None):
        raise OptionError(
            Option("against"), f" {text}: {key} has no {wrong}; it has {', '.join(allowed)}{nearest(wrong, allowed)}"
        )
    if (key in WRAPPERS) + 0 != len(call.args) and not (key in OF_MATRICES and len(call.args) == 1):
        what = f"is put around a reference: {key}(sgd)" if key in WRAPPERS else "is put around nothing"
        raise OptionError(Option("against"), f" {text}: {key} {what}")
    return Demand(key, own, _demand(call.args[0], text) if call.args else None)


def wanted(demand: Demand, hyper: Mapping[str, Any], given: Mapping[str, Any]) -> Optimizer:
    """The reference that was demanded; see :func:`demanded`."""
    if demand.inner is None or demand.key in OF_MATRICES:
        return demanded(demand.key, demand.own, hyper, given)
    cls: Any = WRAPPERS[demand.key]
    names = [f.name for f in fields(cls) if f.name != "inner"]
    numbers = {name: given[name] for name in names if isinstance(given.get(name), int | float)}
    inner = wanted(demand.inner, hyper, given)
    if isinstance(inner, Joint) and cls is not SAM:
        why = f"is not put around {demand.inner.key} here, whose numbers are of all parameters together"
        raise OptionError(Option("against"), f" {demand.key}: {why}; ask for {demand.inner.key} alone")
    try:
        made: Optimizer = cls(**{**numbers, **demand.own, "inner": inner})
    except RefimplError as error:
        raise OptionError(Option("against"), f" {demand.key}: {error}") from None
    return made


def of_shapes(
    reference: Optimizer, demand: Demand | None, hyper: Mapping[str, Any], examined: Examined
) -> dict[str, Optimizer]:
    """The reference of each parameter: of one of matrices alone, AdamW or what was demanded has the others."""
    held = dict.fromkeys(examined.parameters, reference)
    if key_of(reference) not in OF_MATRICES:
        return held
    rest = Demand(REST, {}) if demand is None or demand.inner is None else demand.inner
    others = [name for name in held if len(examined.shape_of(name)) != 2]
    return held | (dict.fromkeys(others, wanted(rest, hyper, examined.given)) if others else {})


def demanded(key: str, own: Mapping[str, Any], hyper: Mapping[str, Any], given: Mapping[str, Any]) -> Optimizer:
    """The reference: what is said of it alone, else what was asked of both, else the class's defaults, else its own.

    Raises :class:`InputError` where the reference does not take what was asked.
    """
    cls: Any = OPTIMIZERS[key]
    usual = {f.name: None if f.default is MISSING else f.default for f in fields(cls)}
    defaults = {n: _plain(value) for n, value in given.items() if n not in hyper and _fits(n, value, usual)}
    asked = {name: _plain(value) for name, value in hyper.items() if name in usual}
    if "base_lr" in usual and isinstance(given.get("lr"), int | float):  # published code keeps the rate it began with
        defaults["base_lr"] = given["lr"]
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
    unlimited = isinstance(value, float) and math.isinf(value) and usual[name] is None
    return _length(value) == _length(usual[name]) and not callable(value) and not unlimited


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
            calls=np.array(played.numbers[name][played.late.get(name, 0) :]) if name in played.numbers else None,
            products=_products(played, name),
            kept={key: array[played.late.get(name, 0) :] for key, array in played.state.get(name, {}).items()},
            slack=played.slack[name][played.late.get(name, 0) :] if name in played.slack else None,
        )
        for name, weights in played.weights.items()
    ]


def _products(played: Played, name: str) -> tuple[tuple[Product, ...], ...]:
    """The products of the calls in which a parameter was stepped."""
    if not played.products:
        return ()
    numbers = played.numbers.get(name, range(len(played.weights[name]) - 1))
    return tuple(played.products[number] for number in numbers[played.late.get(name, 0) :])


def needs_products(against: str | None) -> bool:
    """Whether a class is held to a reference that is judged by the products of matrices that it makes."""
    return any(key in (against or "").lower() for key in OF_MATRICES)


def recorded(held: Mapping[str, Any], played: Played, dtype: str, *, scalar: str = "float64") -> list[Motion]:
    """Every parameter of a run, with the sums over all of them where it is held to a reference that asks for such."""
    return joined(held, motions(played, dtype, scalar=scalar), kept=played.kept)


def counts_calls(held: Mapping[str, Any]) -> bool:
    """Whether a reference has a lookahead in it, which may count calls of ``step()`` or a parameter's own steps."""
    rules: list[Any] = list(held.values())
    return any(isinstance(rule, Lookahead) or isinstance(getattr(rule, "inner", None), Lookahead) for rule in rules)


def key_of(optimizer: Any) -> str:
    """The name of the reference in ``OPTIMIZERS``."""
    return next(key for key, cls in REFERENCES.items() if cls is type(optimizer))
