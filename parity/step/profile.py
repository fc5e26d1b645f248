"""The profile of a run's arithmetic, read from what its backend declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refimpl.arithmetic.bounded import CARRIER, Profile
from refimpl.arithmetic.formats import FORMATS
from refimpl.trajectory import Trajectory

MANY = 10_000
"""Parameters from which on the judge computes in float64: 20 times faster, and at most twice as wide in float64."""


def profile_of(trajectory: Trajectory, part: str, *, form: float = 1.0) -> Profile:
    """The arithmetic of the ``"loss"`` (forward and backward pass) or of the ``"update"``.

    A run that declares nothing is taken to round every operation, sums included, to its dtype. ``form`` multiplies the
    unit roundoff, as does the form that the run itself declares: 1 for an implementation of the formula's own form, 2
    for one of unknown form. A run of :data:`MANY` parameters is judged in a carrier of 53 bits.
    """
    parameters = sum(values[0].size for values in trajectory.params.values())
    dtype = str(trajectory.meta.get("dtype", "float64"))
    declared: Mapping[str, Any] = trajectory.meta.get("profile", {}).get(part, {})
    operands = declared.get("operands")
    return Profile(
        compute=FORMATS[declared.get("compute", dtype)],
        accumulate=FORMATS[declared.get("accumulate", dtype)],
        scalar=FORMATS[declared.get("scalar", "float64")],
        operands=FORMATS[operands] if operands else None,
        flush=bool(declared.get("flush", False)),
        form=form * float(trajectory.meta.get("form", 1.0)),
        carrier=np.float64 if parameters >= MANY else CARRIER,
    )
