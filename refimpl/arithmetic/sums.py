"""A sum of a few arrays whose order is nobody's promise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from refimpl.arithmetic.bounded import Bounded
from refimpl.types import Array

PIECES = 3
"""The number of pieces in which autograd may hand over a term: λ₁ sign(w), and from w·w twice λ₂/2·w."""


def add_in_any_order(terms: Sequence[Array], additions: int | None = None) -> Array:
    """t₁ + … + t_k, elementwise.

    Frameworks add the loss's gradient t₁ and those of several penalties in an order of their own, each penalty in up
    to three pieces of one sign. These are at most ``m = 3(k − 1)`` additions, so with errors eᵢ of the terms the
    result of any order is off by at most ``Σeᵢ + ((1 + u)ᵐ − 1)·Σ(|tᵢ| + eᵢ)``, which is what :class:`Bounded` terms
    give here. A single penalty is complete before t₁ is added to it: one addition. Where the terms are parts of a sum
    of more ``additions``, divisions of the parts among them, these are m, and each may underflow by τ. All other number
    types are added from left to right.
    """
    first = terms[0]
    if not isinstance(first, Bounded) or (len(terms) <= 2 and additions is None):
        return reduce(add, terms)
    m = PIECES * (len(terms) - 1) if additions is None else additions
    profile = first.profile
    error = sum(term.error for term in terms)
    reach = sum(np.abs(term.value) for term in terms) + error
    growth = (1 + profile.u(profile.compute)) ** m - 1
    if additions is not None:
        error = error + additions * profile.tau(profile.compute)
    value = reduce(add, [term.value for term in terms])
    bound = np.where(reach * (1 + growth) <= profile.compute.largest, error + growth * reach, np.inf)
    return Bounded(value, bound, profile)
