"""Which elements of a large tensor are looked at: those at the edges of blocks, where kernels fail, and drawn ones."""

from __future__ import annotations

import numpy as np

from refimpl.types import Array

BLOCKS = tuple(2**k for k in range(2, 17))
"""What kernels take at once, 4 to 65,536 elements: vector registers, unrolled loops, thread blocks, chunks of lists."""
ENDS = 64
"""Elements at either end: what is left over for a kernel's last, shorter turn is among them."""


def chosen(size: int, count: int, rng: np.random.Generator) -> Array | None:
    """Numbers of the elements to look at, ascending: the edges and ``count`` drawn ones; None for all of them."""
    if size <= count:
        return None
    drawn = rng.choice(size, count, replace=False)
    return np.union1d(edges(size), drawn)


def edges(size: int) -> Array:
    """Both ends, and either side of a multiple of each block near the beginning, the middle and the end."""
    multiples = [near // block * block for block in BLOCKS for near in (block, size // 2, size)]
    elements = [*range(ENDS), *range(size - ENDS, size)] + [m + side for m in multiples for side in (-1, 0)]
    return np.unique([element for element in elements if 0 <= element < size])
