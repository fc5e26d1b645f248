"""An optimizer that computes in a narrower format than the weights have, to which its steps are added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS


def in_format(profile: Profile, name: str) -> Profile:
    """The arithmetic of a profile in another format."""
    return replace(profile, compute=FORMATS[name])


def narrowly(
    own: Any, optimizer: Any, param: Bounded, gradient: Bounded, state: Mapping[str, Any], narrow: Profile
) -> tuple[Bounded, dict[str, Any]]:
    """``w(1 − ηλ) + Δ``: Δ is the step from 0 of the ``optimizer`` in the narrow arithmetic, the rest that of its
    ``own``."""
    zero = Bounded.tensor(np.zeros(param.shape), narrow)
    moved, state = optimizer.step(zero, gradient.under(narrow), state or optimizer.init(zero))
    if getattr(own, "decay", "") == "decoupled":
        param = param * (1 - own.lr * own.weight_decay)
    return param + Bounded(moved.value, moved.error, param.profile), dict(state)
