"""Powers of a matrix close to the identity: ``(I + E)ᵏ − I`` from E, without ever adding the identity.

A step of descent is ``θ ← (I + E)θ`` with ``E = −ηH`` small. Rounding ``I + E`` would lose the digits of E below u, so
the recurrences are those of the differences ``E_k = (I + E)ᵏ − I``::

    E_{j+k} = E_j + E_k + E_j E_k       because (I + E_j)(I + E_k) = I + E_j + E_k + E_j E_k
    E_{2k}  = 2 E_k + E_k²

An affine map ``θ ← θ + Eθ + c`` is the linear one of ``(θ, 1)`` with the matrix ``I + [[E, c], [0, 0]]``.
"""

from __future__ import annotations

import numpy as np

from refimpl.datasets.dataset import check_integer
from refimpl.types import Array


def power_minus_identity(E: Array, k: int) -> Array:
    """``(I + E)ᵏ − I`` for ``E`` ``(…, q, q)`` by repeated squaring. Raises :class:`ParameterError` unless k ≥ 0."""
    check_integer("k", k, low=0)
    power, square = np.zeros_like(E), E  # E_0 = 0, E_1 = E
    while k:
        if k % 2:
            power = power + square + power @ square  # E_{j+k} = E_j + E_k + E_j E_k
        k //= 2
        if k:
            square = 2 * square + square @ square  # E_{2k} = 2 E_k + E_k²
    return power


def affine(E: Array, c: Array) -> Array:
    """``[[E, c], [0, 0]]``, ``(…, q + 1, q + 1)``, for ``E`` ``(…, q, q)`` and ``c`` ``(…, q)``."""
    augmented = np.zeros((*E.shape[:-2], E.shape[-1] + 1, E.shape[-1] + 1))
    augmented[..., :-1, :-1], augmented[..., :-1, -1] = E, c
    return augmented
