"""What a framework does in one kernel, or outside of its tensors, and what that means for the rounding.

To plain numbers each function here is the formula it names; to running-error arithmetic it also says where the
roundings fall, which the formula alone cannot show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.operations import as_operand
from refimpl.errors import ParameterError


def fused(formula: Callable[..., Any], *arrays: Any) -> Any:
    """``formula(*arrays)`` in one kernel: rounded to the format of sums inside, and once to that of tensors at the end.

    Arguments and result may be mappings and tuples of arrays, too; hyper-parameters of the formula are arguments.
    """
    profile = next((x.profile for x in arrays if isinstance(x, Bounded)), None)
    if profile is None or profile.accumulate.digits <= profile.compute.digits:
        return formula(*arrays)
    inside = replace(profile, compute=profile.accumulate)
    return _under(profile, formula(*_under(inside, arrays)))


def _under(profile: Profile, x: Any) -> Any:
    """Every tensor of ``x`` rounded to a profile; a hyper-parameter is as exact as before."""
    if isinstance(x, tuple):
        return tuple(_under(profile, each) for each in x)
    if isinstance(x, Mapping):
        return {name: _under(profile, each) for name, each in x.items()}
    if isinstance(x, Bounded):
        return Bounded(x.value, x.error, profile, scalar=True) if x.scalar else x.under(profile)
    return x


def product_with_bias(A: Any, B: Any, bias: Any) -> Any:
    """AB + b, the bias b being one number for each column of B.

    A kernel may add b at the end, or begin each sum with it: then b is one more term, which every addition rounds
    along. Where operands are rounded first, b is one.
    """
    if not isinstance(A, Bounded):
        return A @ B + bias
    ones = Bounded.tensor(np.ones((*A.shape[:-1], 1)), A.profile)
    as_term = np.concatenate([A, ones], axis=-1) @ np.concatenate([B, bias[None]], axis=0)
    return either(A @ B + as_operand(bias), as_term)


def norm(x: Any) -> Any:
    """‖x‖₂ = √Σxᵢ² along the last axis, in one kernel."""
    return fused(lambda x: np.sqrt(np.vecdot(x, x)), x)


def norm_of_run(x: Any) -> Any:
    """‖x‖₂ over all axes but that of runs, shaped to meet ``x``; exactly 0 where all of ``x`` is."""
    flat = x.reshape(len(x), -1)
    elements = np.abs(np.sign(flat)).sum(axis=-1)  # that are not 0: a whole number, which no rounding makes of 0
    return np.where(2 * elements < 1, 0, norm(flat)).reshape(-1, *(1,) * (x.ndim - 1))


def mean(x: Any) -> Any:
    """Σxᵢ/n along the last axis, in one kernel."""
    return fused(lambda x: x.sum(axis=-1) / x.shape[-1], x)


def lerp(start: Any, end: Any, weight: Any) -> Any:
    """start + weight·(end − start), computed from the nearer end, as ``torch.lerp`` does."""
    difference = end - start
    return np.where(np.abs(2 * weight) < 1, start + weight * difference, end - (1 - weight) * difference)


def item(x: Any) -> Any:
    """A number that was read out of a tensor: from here on it is computed with like a hyper-parameter."""
    return Bounded(x.value, x.error, x.profile, scalar=True) if isinstance(x, Bounded) else x


def kept(format: str, formula: Callable[..., Any], *numbers: Any) -> Any:
    """``formula(*numbers)`` of hyper-parameters, for a number that is kept in ``format``: computed in it, or better."""
    lifted = [number for number in numbers if isinstance(number, Bounded)]
    if not lifted or lifted[0].profile.scalar.digits <= FORMATS[format].digits:
        return formula(*numbers)
    profile = replace(lifted[0].profile, scalar=FORMATS[format])

    def entering(number: Any) -> Any:
        if not isinstance(number, Bounded):
            return number
        known = Bounded.hyper(number.value, profile)  # an exact number's rounding is known exactly
        rounded = known._rounded(number.value, number.error, format=profile.scalar, underflow=True)
        return known if np.all(number.error == 0) else rounded

    computed = formula(*map(entering, numbers))
    return Bounded(computed.value, computed.error, lifted[0].profile, scalar=True)


def either(one: Any, other: Any) -> Any:
    """A number in two forms that are equal but for rounding: a framework may take the one or the other."""
    if not isinstance(one, Bounded) or not isinstance(other, Bounded):
        return one
    error = np.maximum(one.error, np.abs(one.value - other.value) + other.error)
    return Bounded(one.value, error, one.profile)


def larger(x: Any, y: Any) -> Any:
    """max(x, y), with the error of that one alone which is the larger, where this is decided."""
    return np.where(x > y, x, y)


def smaller(x: Any, y: Any) -> Any:
    """min(x, y), the same."""
    return np.where(x < y, x, y)


def by_way_of(x: Any, *parts: Any) -> Any:
    """x, computed by way of parts that cancel: each is rounded once more, and their other errors act on x as they do on
    the form that x has here.
    """
    if not isinstance(x, Bounded):
        return x
    roundings = sum(x.profile.u(x.format) * (np.abs(part.value) + part.error) for part in parts)
    return Bounded(x.value, x.profile.widened(x.error + roundings), x.profile)


def machine_epsilon(x: Any) -> Any:
    """The distance from 1 to the next number of the format that ``x`` is kept in."""
    if isinstance(x, Bounded):
        return Bounded.hyper(2 * x.profile.compute.u, x.profile)
    if x.dtype.kind != "f":
        raise ParameterError(
            "eps",
            given=f"None for numbers of type {x.dtype}, which have no machine epsilon",
            allowed="a number",
            remedy="give the machine epsilon of the dtype that is meant",
        )
    return np.finfo(x.dtype).eps
