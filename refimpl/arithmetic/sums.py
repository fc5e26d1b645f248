"""A sum of a few arrays whose order is nobody's promise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from refimpl.arithmetic.bounded import Bounded
from refimpl.types import Array


def add_in_any_order(terms: Sequence[Array]) -> Array:
    """t₁ + … + t_k, elementwise.

    Frameworks add the gradients of several terms in an order of their own. With errors eᵢ the result of any order is
    off by at most ``Σeᵢ + ((1 + u)^(k − 1) − 1)·Σ(|tᵢ| + eᵢ)``, which is what :class:`Bounded` terms give here; all
    other number types are simply added.
    """
    first = terms[0]
    if not isinstance(first, Bounded) or len(terms) <= 2:
        return reduce(add, terms)
    profile = first.profile
    error = sum(term.error for term in terms)
    reach = sum(np.abs(term.value) for term in terms) + error
    growth = (1 + profile.u(profile.compute)) ** (len(terms) - 1) - 1
    value = reduce(add, [term.value for term in terms])
    bound = np.where(reach * (1 + growth) <= profile.compute.largest, error + growth * reach, np.inf)
    return Bounded(value, bound, profile)
