"""What a run cannot see: hyper-parameters whose replacement by a neutral value it would not notice.

λ and μ are replaced by 0, the others doubled. If every recorded number lies within its bound then, too, the run says
nothing about that hyper-parameter, and must not be counted as agreement on it. Those that several parameters share are
one hyper-parameter; where their values differ, each is asked for by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from parity.formulation import Realised
from refimpl.errors import RefimplError
from refimpl.types import number_fields, off

VANISHING = ("weight_decay", "momentum", "strength", "l1", "l2")


def neutral(form: Realised) -> Iterator[tuple[str, Realised]]:
    """Each hyper-parameter by name, with the form that has a neutral value in its place."""
    shared: dict[tuple[str, Any], dict[str, Any]] = {}
    for name, optimizer in form.optimizers.items():
        for hyper, value, changed in _variants(optimizer):
            shared.setdefault((hyper, value), {})[name] = changed
    for (hyper, _), changed in shared.items():
        of = "" if len(changed) == len(form.optimizers) else f" of {', '.join(changed)}"
        yield f"{hyper}{of}", replace(form, optimizers={**form.optimizers, **changed})
    for hyper, _, schedule in _variants(form.schedule):
        yield f"schedule.{hyper}", replace(form, schedule=schedule)
    penalties = form.in_gradient.penalties  # a parameter each
    for i, penalty in enumerate(penalties):
        for hyper, _, changed in _variants(penalty):
            others = (*penalties[:i], changed, *penalties[i + 1 :])
            name = f"{type(penalty).__name__}.{hyper} of {', '.join(penalty.parameters)}"
            yield name, replace(form, in_gradient=replace(form.in_gradient, penalties=others))


def _variants(obj: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, value, and a copy with that number changed; numbers that are switched off are not asked for."""
    for hyper in number_fields(obj.__class__):
        value = getattr(obj, hyper)
        if not off(value):
            yield hyper, value, _changed(obj, hyper, value)
    penalty = getattr(obj, "penalty", None)  # of a proximal step
    if penalty is not None:
        for hyper, value, changed in _variants(penalty):
            yield f"{type(penalty).__name__}.{hyper}", value, replace(obj, penalty=changed)


def _changed(obj: Any, hyper: str, value: Any) -> Any:
    changes: dict[str, Any] = {hyper: 0.0 if hyper in VANISHING else 2 * value}
    if hyper == "momentum" and getattr(obj, "nesterov", False):
        changes["nesterov"] = False  # which needs momentum
    try:
        return replace(obj, **changes)
    except RefimplError:  # doubled, it leaves its range
        return replace(obj, **{hyper: value / 2})
