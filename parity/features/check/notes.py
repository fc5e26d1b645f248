"""What is noted beside the verdict on an optimizer class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from parity.features.check.examined import Examined
from parity.features.check.identify import Judgement


def boundless(every: Mapping[str, Judgement]) -> list[str]:
    """A note on the dtypes in which nothing can be judged."""
    dtypes = " and ".join(dtype for dtype, one in every.items() if not one.bounded)
    return (
        [f"in {dtypes} rounding errors could make most numbers any others, so that nothing is judged"] if dtypes else []
    )


def beyond(label: str, wide: Judgement) -> list[str]:
    """That a class, which agrees in the dtypes that were asked, does not do so in float64."""
    return [f"in float64, which was not asked, it is not {label}: {wide.first}"]


def held_state(examined: Examined, numbers: int) -> list[str]:
    """How many numbers of the state were held to the reference's, where that was asked."""
    said = f"{numbers:,} numbers of {{}} were held to the reference's" if numbers else "no number of {} has a bound"
    return [said.format(", ".join(examined.state.values()))] if examined.state else []


def scalars(judged: Mapping[str, Judgement]) -> list[str]:
    """A note on dtypes in which the class agrees only if its numbers are computed in less than Python's precision."""
    narrow = " and ".join(dtype for dtype, one in judged.items() if one.share <= 1 and one.scalar != "float64")
    return (
        [f"in {narrow} it agrees if numbers such as 1 − βᵗ are computed in float32, not in float64"] if narrow else []
    )


def defaults(examined: Examined, reference: Any) -> list[str]:
    """Defaults of the class that are not those of the reference."""
    usual = {field.name: field.default for field in fields(reference) if field.default is not MISSING}
    other = {n: v for n, v in examined.defaults.items() if n in usual and v != usual[n] and v is not None}
    other = {n: v for n, v in other.items() if v != math.inf or usual[n] is not None}  # both are no limit
    name = type(reference).__name__
    return [
        f"by default {n} = {v!r}, that of {name} is {usual[n]!r}" for n, v in other.items() if not isinstance(v, type)
    ]
