"""What torch's norms, means and dot products add up in: measured, because it depends on the kernel that it chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from parity.record.products import exactly
from refimpl.arithmetic import kernels
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS

SUMS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], Callable[[Any], Any]]] = {
    "norm of rows": (lambda x: torch.norm(x, dim=-1), kernels.norm),
    "norm of columns": (lambda x: torch.norm(x, dim=-2), lambda x: kernels.norm(x.swapaxes(-1, -2))),
    "norm": (torch.norm, lambda x: kernels.norm(x.reshape(1, -1))[0]),
    "mean of rows": (lambda x: x.mean(dim=-1), kernels.mean),
    "mean of columns": (lambda x: x.mean(dim=-2), lambda x: kernels.mean(x.swapaxes(-1, -2))),
    "dot": (lambda x: x.flatten().dot(x.flatten()), lambda x: np.vecdot(x.reshape(1, -1), x.reshape(1, -1))[0]),
}
"""torch's kernel for a matrix, and its formula."""


def accumulation(dtype: str, shape: tuple[int, int], device: str = "cpu", sums: Any = SUMS, draws: int = 8) -> str:
    """float32 where sums of low precision of this shape stay within its bound, else the dtype itself."""
    if FORMATS[dtype].digits >= FORMATS["float32"].digits:
        return dtype
    rng = np.random.default_rng(0)
    profile = Profile(compute=FORMATS[dtype], accumulate=FORMATS["float32"])
    for _ in range(draws):  # each sum has a chance of hiding low precision; eight do not
        x = torch.tensor(rng.uniform(0.5, 1, shape)).to(device, getattr(torch, dtype))
        for kernel, formula in sums.values():
            bound = formula(Bounded.tensor(exactly(x)[0], profile))
            if np.any(np.abs(exactly(kernel(x))[0] - bound.value) > bound.error):
                return dtype
    return "float32"
