"""The reference that a class is held to where none was asked for: that of its name, or else of what it is derived from.

``MyAdamW``, ``adamw_8bit`` and ``FusedAdamW`` are held to AdamW. Options that the reference has and the class has not,
such as ``decoupled_weight_decay``, are those that fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from parity.errors import InputError
from parity.features.check.examined import Examined
from parity.features.check.held import BY_NAME, demanded, key_of
from parity.features.check.identify import Identification, identify
from parity.features.check.jointly import with_options
from refimpl.optimizers import OPTIMIZERS
from refimpl.types import Optimizer

OTHER_FORMS = {"adafactor": ("adafactor_paper",)}
"""References of one name: torch's own, and forms that other code may have, which are tried before it."""
ANY = "any"
"""The word that is asked for in the place of a reference where any reference may fit."""
AFFIXES = (
    *(
        "my",
        "own",
        "custom",
        "naive",
        "simple",
        "plain",
        "pure",
        "fused",
        "foreach",
        "torch",
        "base",
        "singledevice",
    ),
    *("optimizer", "optim", "legacy", "mine", "impl", "reference", "4bit", "8bit", "16bit", "32bit", "64bit"),
    "withauxadam",
)
"""Words that people write before or after the name of a rule."""
AFFIX = re.compile(f"^(?:{'|'.join(AFFIXES)})|(?:{'|'.join(AFFIXES)}|v\\d+)$")


def key_in(name: str) -> str:
    """The reference that a name says, ``MyAdamW_8bit`` → ``adamw``; "" where it says none."""
    words = name.lower().replace("_", "")
    while words not in BY_NAME:
        shorter = AFFIX.sub("", words)
        if shorter == words:
            return ""
        words = shorter
    return BY_NAME[words]


def assumed(examined: Examined) -> tuple[str, str]:
    """The key of the reference, and why it is that; empty where neither the name nor a base says one."""
    if key := key_in(examined.name):
        return key, f"it is called {examined.name}"
    for base in examined.bases:
        if key := key_in(base):
            return key, f"it is derived from {base}"
    return "", ""


def as_assumed(examined: Examined, key: str) -> Identification | Optimizer | None:
    """How the class is that reference, with the options that fit; else the reference as asked, which it is not.

    None where the reference does not take what was asked, so that nothing can be assumed.
    """
    if hasattr(OPTIMIZERS[key], "addends"):
        return of_options_that_fit(examined, key)
    for other in () if examined.torchs else OTHER_FORMS.get(key, ()):
        identity, _ = identify(examined, {other: OPTIMIZERS[other]})
        if identity is not None:
            return replace(identity, fit=replace(identity.fit, changed=_of_one_form(identity, examined.given)))
    identity, _ = identify(examined, {key: OPTIMIZERS[key]})
    if identity is not None and not set(_changed(identity)) & set(examined.given):
        return identity
    try:
        return demanded(key, {}, {}, examined.given)
    except InputError:
        return None


def of_options_that_fit(examined: Examined, key: str) -> Identification | Optimizer | None:
    """The same of a reference that shares numbers among all parameters, which are replayed together."""
    try:
        return with_options(examined, key) or demanded(key, {}, {}, examined.given)
    except InputError:
        return None


def why_assumed(why: str, held: Identification | Optimizer, given: Mapping[str, Any]) -> str:
    """The note on what was assumed, and how to ask for something else; ``given``: the options of the class."""
    fits, rule = "", held
    if isinstance(held, Identification):
        rule = held.fit.optimizer or next(iter(held.held.values()))
        numbers = {name: getattr(rule, name) for name in _changed(held) if name not in given}
        fits = "".join(f"; {name} = {value!r} fits, and is no option of it" for name, value in numbers.items())
    ask = f"--against NAME asks for another reference, --against {ANY} for any"
    return f"held to {key_of(rule)}, because {why}{fits}; {ask}"


def _of_one_form(identity: Identification, given: Mapping[str, Any]) -> tuple[str, ...]:
    """What differs from what was given, without what is a pair in the one and a number in the other."""
    pairs = {name: isinstance(getattr(identity.fit.optimizer, name, None), tuple) for name in _changed(identity)}
    other = {name for name, pair in pairs.items() if name in given and isinstance(given[name], tuple | list) != pair}
    return tuple(name for name in identity.fit.changed if name.partition("[")[0] not in other)


def _changed(identity: Identification) -> list[str]:
    """The hyper-parameters that differ from what was asked."""
    return [name.partition("[")[0] for name in identity.fit.changed]
