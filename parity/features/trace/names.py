"""The symbols of a page: Greek for hyper-parameters, and for what a formula computes the reference's own names.

The functions of the reference call their intermediate results what their docstrings call them: ``m``, ``v``, ``c1``.
:func:`named_as_in_the_code` reads these names off the local variables when such a function returns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import FrameType
from typing import Any, TypeVar

from parity.features.trace.arithmetic import Traced
from refimpl.ranges import number_fields
from refimpl.stepping import is_zero

T = TypeVar("T")

HYPER: dict[str, str | tuple[str, ...]] = {
    "lr": "η",
    "momentum": "μ",
    "dampening": "τ",
    "weight_decay": "λ",
    "betas": ("β₁", "β₂", "β₃"),
    "eps": ("ε", "ε₂"),
    "alpha": "α",
    "rho": "ρ",
    "t0": "t₀",
    "etas": ("η⁻", "η⁺"),
    "step_sizes": ("Δmin", "Δmax"),
    "momentum_decay": "ψ",
    "beta2_decay": "τ",
    "ns_coefficients": ("a", "b", "c"),
    "weight_lr_power": "p",
    "strength": "λ",
    "l1": "λ₁",
    "l2": "λ₂",
    "factor": "c",
    "d0": "d₀",
    "d_coef": "κ",
}
"""Symbols for fields of the reference's classes; any other field keeps its own name."""

WORDS = {
    "count": "t",
    "g": "g′",
    "b": "v",
    "buffer": "v",
    "direction": "d",
    "c1": "c₁",
    "c2": "c₂",
    "c3": "c₃",
    "mu": "μ",
    "next_mu": "μ′",
    "rho": "ρ",
    "rho_inf": "ρ∞",
    "eta": "η",
    "lr": "η′",
    "alpha": "α",
    "phi": "φ",
    "ax": "a",
    "size": "‖w‖",
    "slope": "‖g‖",
    "step_size": "Δ",
    "weight": "ω",
    "gamma": "γ",
    "found": "d̂",
}
"""Symbols for local variables; any other variable keeps its own name.

g is what the optimizer was given, so what it makes of it is g′; b is the bias, so the velocity of SGD is v.
"""

STATE = {
    "step": "t",
    "prev": "p",
    "neg_pre_grad": "p",
    "max_exp_avg_sq": "v̄",
    "mu_product": "Π",
    "lr_max": "γ̂",
    "weight_sum": "Σω",
}
"""Symbols for keys of the state, whatever the variable is called."""

STATE_WITHOUT_NAME = {
    "momentum_buffer": "v",
    "exp_avg": "m",
    "exp_avg_sq": "v",
    "square_avg": "s",
    "prev": "p",
    "z": "z",
    "acc_delta": "u",
}
"""Symbols for keys of the state whose value the function at hand has no variable for."""

NAMERS = ("refimpl.optimizers.", "refimpl.losses.", "refimpl.penalties.")
NO_NAMES = ("param", "grad", "state", "self", "_")


def named_as_in_the_code(compute: Callable[[], T]) -> T:
    """``compute()``, in which results of the reference's functions get the names of the variables that hold them.

    In a thread of its own, because each thread has one hook for returns: a profiler of the caller keeps its own.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_watched, compute).result()


def _watched(compute: Callable[[], T]) -> T:
    sys.setprofile(_name_results)
    try:
        return compute()
    finally:
        sys.setprofile(None)


def _name_results(frame: FrameType, event: str, argument: Any) -> None:
    """When a function of the reference returns. Of one called by another the outer returns later, and counts."""
    del argument
    if event == "return" and frame.f_globals.get("__name__", "").startswith(NAMERS):
        for name, value in reversed(frame.f_locals.items()):  # of two variables for one result the first counts
            if isinstance(value, Traced) and name not in NO_NAMES:
                value.suggest(WORDS.get(name, name))


def with_symbols(part: T, taken: Mapping[str, Any]) -> tuple[T, dict[str, Any]]:
    """``part`` with every hyper-parameter traced, and ``taken`` with their numbers by symbol.

    A symbol that stands for another number already gets a mark. A 0 switches its term off, and stays.
    """
    legend = dict(taken)

    def lifted(value: Any, symbol: str) -> Any:
        if value is None or is_zero(value):
            return value
        while legend.setdefault(symbol, value) != value:
            symbol += "′"
        return Traced(value, symbol)

    changes: dict[str, Any] = {}
    cls: Any = type(part)
    for field in number_fields(cls):
        value, known = getattr(part, field), HYPER.get(field, field)
        symbols = (known,) * 9 if isinstance(known, str) else known
        if isinstance(value, tuple):
            changes[field] = tuple(map(lifted, value, symbols))
        else:
            changes[field] = lifted(value, symbols[0])
    if getattr(part, "penalty", None) is not None:  # of a proximal step
        changes["penalty"], legend = with_symbols(part.penalty, legend)  # type: ignore[attr-defined]
    return replace(part, **changes), legend  # type: ignore[type-var]
