"""What a reduced gradient may be: the derived bound over any order and algorithm of a reduction.

With n = R·M − 1 + k roundings, M micro-batches of each rank, k ≤ 3 of the divisions before and after the sum and of the
format in which it is sent, and u of the narrowest format on the way::

    |ĝ − Σ cₚ·gₚ| ≤ ((1 + u)ⁿ − 1)·Σ cₚ·|gₚ|        then the copy into ``.grad``

The gradients gₚ of the places are known exactly. The bound is that of a simulated reduction
(:mod:`parity.step.passes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from parity.features.verify.ranks.probe import Counts, Place, is_dyadic
from parity.step.design import REDUCTION
from parity.step.expected import Expected, Quantity, equal, expect_one
from parity.step.passes import divided_by_ranks
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS, Format
from refimpl.arithmetic.sums import add_in_any_order
from refimpl.types import Array


def reduced(
    name: str,
    step: int,
    gradients: Mapping[Place, Array],
    counts: Counts,
    candidate: Array | None,
    formats: Iterable[str],
    *,
    fits: bool,
) -> Expected:
    """The expectation of a reduced gradient ``(1, …)``; ``fits``: no number on the way to it needs to be rounded."""
    quantity = Quantity("reduced", name)
    counted = {place: g for place, g in gradients.items() if counts[place]}
    if len({counts[place] for place in counted}) > 1:
        raise ValueError("the places that count have one divisor")
    divisor = 1 / counts[next(iter(counted))]
    if fits and is_dyadic(divisor):
        exact = sum(g * float(counts[place]) for place, g in counted.items())
        shaped = candidate is not None and candidate.shape == exact.shape  # type: ignore[union-attr]
        return equal(
            quantity, step, candidate if shaped else np.full((1, 1), np.nan), exact if shaped else np.zeros((1, 1))
        )
    names = list(formats)
    format = narrowest(names)
    profile = Profile(compute=format, accumulate=format)
    parts: list[Any] = [Bounded.tensor(g, profile) for g in counted.values()]
    total = add_in_any_order(parts, len(gradients) - 1 + REDUCTION)
    bounded = divided_by_ranks(total, Bounded.hyper(float(divisor), profile), len(parts))
    return expect_one(quantity, step, candidate, bounded, FORMATS[names[-1]])


def narrowest(names: Iterable[str]) -> Format:
    """A format that has no more bits, and reaches no farther down, than any of these."""
    some = [FORMATS[name] for name in names]
    digits, emin = min(format.digits for format in some), max(format.emin for format in some)
    return next((f for f in some if (f.digits, f.emin) == (digits, emin)), Format("narrowest", digits, emin))
