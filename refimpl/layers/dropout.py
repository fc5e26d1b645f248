"""Dropout, ``y = x ⊙ m/(1 − p)``, as ``torch.nn.Dropout``: a mask m of zeros and ones, 0 with probability p.

1/(1 − p) makes the expectation of y over the masks x, so that nothing is scaled in evaluation, where y = x. The mask is
data, not computed here: which numbers are left out is the framework's draw. Each y depends on its own x only::

    ∂L/∂x = δ ⊙ m/(1 − p)

With p = 1 all is left out, and y and ∂L/∂x are 0.

Source: Srivastava et al., "Dropout", JMLR 15, 2014, §10 ("inverted" dropout).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from refimpl.arithmetic.elementary import integer
from refimpl.ranges import Portion, check_fields
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class Dropout:
    """``mask``: zeros and ones that broadcast to x, or None in evaluation; ``p``: how probable a zero is."""

    p: Portion = 0.5
    mask: Array | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_fields(self)

    def forward(self, params: Params, x: Array) -> Array:
        """y, of the shape of x."""
        del params
        return self._dropped(x)  # x ⊙ m/(1 − p)

    def backward(self, params: Params, x: Array, upstream: Array) -> tuple[Array, dict[str, Array]]:
        """∂L/∂x, of the shape of x."""
        del params, x
        return self._dropped(upstream), {}  # δ ⊙ m/(1 − p)

    def _dropped(self, x: Array) -> Array:
        if self.mask is None:
            return x
        if not np.any(self.mask):  # p may be 1
            return x * 0
        return x * (integer(np.asarray(self.mask).astype(int), x) / (1 - self.p))  # type: ignore[no-any-return]
