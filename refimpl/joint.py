"""Optimizers that share numbers among all parameters: what each parameter adds to a sum, and the sums over all of them.

An optimizer steps one array at a time. One that estimates a number of all arrays together, such as the distance d of
Prodigy, is :class:`~refimpl.types.Joint`: it says what one array adds to its sums (``addends``), and takes the sums
over all arrays from the state of each, where :func:`together` put them. Without them an array is stepped alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refimpl.types import Array, Joint, Optimizer, Params, State


def together(
    optimizers: Mapping[str, Optimizer], params: Params, grads: Params, states: Mapping[str, State]
) -> Mapping[str, State]:
    """``states`` with the sums over all of ``params`` beside the state of each whose optimizer is joint.

    ``params`` and ``grads``: of the arrays that are stepped now. An array that was not stepped in every step before
    takes the shared numbers from that which was stepped most; ``states`` of others may be there for this.
    """
    ready = dict(states)
    for kind in {type(optimizers[name]) for name in params if isinstance(optimizers[name], Joint)}:
        joint: dict[str, Any] = {name: optimizers[name] for name in params if isinstance(optimizers[name], kind)}
        known = [state for name, state in states.items() if isinstance(optimizers[name], kind) and state]
        latest: State = max(known, key=_steps, default={})
        totals: dict[str, Any] = {}
        for name, optimizer in joint.items():
            ready[name] = {**states.get(name, {}), **{key: latest[key] for key in optimizer.shared if key in latest}}
            for key, addend in optimizer.addends(params[name], grads[name], ready[name]).items():
                totals[key] = totals[key] + addend if key in totals else addend
        ready |= {name: {**ready[name], **totals} for name in joint}
    return ready


def _steps(state: State) -> int:
    return int(np.max(state.get("step", 0)))


def of_run(number: Any, param: Array) -> Any:
    """A number, or one for each run ``(runs,)``, shaped to meet ``param``."""
    return number.reshape(-1, *(1,) * (param.ndim - 1)) if getattr(number, "ndim", 0) == 1 else number
