"""The arithmetic that torch computes in: the profile from which the tolerance of a run is derived.

Elementwise operations round to the dtype. Fused kernels on an accelerator load low precision into float32 and round
once, at the store; on the CPU the elements after the last full vector are computed in the dtype itself (torch 2.13), so
the wider bound is the one that holds.
What matrix products and sums accumulate in is measured, on the shapes of the run, because it depends on the kernel that
a library chooses for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import numpy as np
import torch

from parity.backends.base import Setting
from refimpl.arithmetic.bounded import Bounded, Profile
from refimpl.arithmetic.formats import FORMATS

LOW = ("bfloat16", "float16")


def profiles(
    setting: Setting, *, rows: Iterable[int], layers: Iterable[tuple[int, ...]]
) -> dict[str, dict[str, str | None]]:
    """Names of formats for the forward and backward pass (``loss``) and for the optimizer's step (``update``).

    ``layers``: the shapes ``(outputs, features)`` of the weights that batches of so many ``rows`` meet.
    """
    shapes = product(rows, layers)
    measured = {measured_accumulation(setting, n, features, outputs) for n, (outputs, features) in shapes}
    accumulate = setting.dtype if setting.dtype in measured else "float32"
    on_cpu = setting.device.startswith("cpu")
    fused_low = setting.implementation == "fused" and setting.dtype in LOW and not on_cpu
    update = "float32" if fused_low else setting.dtype
    operands = "tf32" if setting.tf32 and setting.dtype == "float32" and not on_cpu else None
    return {
        "loss": {"compute": setting.dtype, "accumulate": accumulate, "operands": operands},
        "update": {"compute": update, "accumulate": accumulate, "operands": None},
    }


def measured_accumulation(setting: Setting, batch: int, features: int, outputs: int = 1) -> str:
    """float32 where low-precision products and sums of these shapes stay within its bound, else the dtype itself."""
    if setting.dtype not in LOW:
        return setting.dtype
    rng = np.random.default_rng(0)
    dtype = getattr(torch, setting.dtype)
    profile = Profile(compute=FORMATS[setting.dtype], accumulate=FORMATS["float32"], carrier=np.float64)
    for rows, columns, across in ((batch, features, outputs), (outputs, batch, features)):  # forward, backward
        for _ in range(8):  # each product has a chance of hiding low-precision sums; eight do not
            a = torch.tensor(rng.uniform(0.5, 1, (rows, columns))).to(setting.device, dtype)
            b = torch.tensor(rng.uniform(0.5, 1, (columns, across))).to(setting.device, dtype)
            for result, left, right in ((a @ b, a, b), (a.sum(1, keepdim=True), a, torch.ones_like(a[:1].T))):
                bound = Bounded.tensor(exactly(left), profile) @ Bounded.tensor(exactly(right), profile)
                if np.any(np.abs(exactly(result) - bound.value) > bound.error):
                    return setting.dtype
    return "float32"


def exactly(tensor: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return tensor.to("cpu", torch.float64).numpy()
