"""Every element of every layout must be updated, to finite numbers."""

from __future__ import annotations

import numpy as np
import torch

from parity.explain.feeds import drawn
from parity.features.check.conduct.bench import ConductRun, Shapes, apart_from
from parity.features.check.drive import Driver
from parity.features.check.task import exact

SIZES = (1, 3, 7, 8, 15, 16, 17, 31, 33, 100, 1000)
"""Vector kernels fail at the edges of their blocks."""


def not_finite(driver: Driver, shapes: Shapes) -> str:
    run = ConductRun(driver, shapes)
    for gradients in (None, {n: 0 * g[0] for n, g in run.feed.gradients.items()}, None):
        run.step(gradients=gradients)
        for name, weights in run.weights.items():
            if not np.isfinite(weights).all():
                zero = " of zero gradients" if gradients else ""
                return f"{name} has {int((~np.isfinite(weights)).sum())} such elements after step {run.k - 1}{zero}"
    return ""


def left_out(driver: Driver, shapes: Shapes) -> str:
    """Check that every element moves, by giving the same gradient in every step."""
    row = (lambda n: (n,)) if "vector" in shapes else (lambda n: (2, n))
    run = ConductRun(driver, {f"{n} elements": row(n) for n in SIZES})
    for _ in range(6):
        run.step(gradients={name: gradient[0] for name, gradient in run.feed.gradients.items()})
    stayed = {name: np.flatnonzero(weights == run.feed.weights[name]) for name, weights in run.weights.items()}
    stayed = {name: where for name, where in stayed.items() if len(where)}
    if sum(map(len, stayed.values())) == sum(weights.size for weights in run.weights.values()):
        return "no element of any parameter moves in 6 steps"
    shown = (
        f"{name}: {', '.join(map(str, where[:4]))}{', …' if len(where) > 4 else ''}" for name, where in stayed.items()
    )
    return "; ".join(shown)


def layouts(driver: Driver, shapes: Shapes) -> str:
    """Check the same numbers in other layouts: transposed, and as every second element of a longer row."""
    shape = shapes["weight"]
    feed = drawn({"w": shape}, steps=3, seed=1)
    start, weights = feed.weights["w"], {}
    wider = torch.zeros((shape[0], 2 * shape[1]), dtype=driver.dtype, device=driver.device)
    places = {
        "contiguous": driver.tensor(start),
        "transposed": driver.tensor(np.ascontiguousarray(start.T)).T,
        "strided": wider[:, ::2].copy_(driver.tensor(start)),
    }
    for name, place in places.items():
        parameter = torch.nn.Parameter(place)
        optimizer = driver.make([parameter])
        for k in range(3):
            driver.step(optimizer, {"w": parameter}, {"w": feed.gradients["w"][k]})
        weights[name] = {"w": exact(parameter)}
    if wider[:, 1::2].any():
        return f"{int(wider[:, 1::2].count_nonzero())} elements between those of a strided parameter were overwritten"
    for name in ("transposed", "strided"):
        apart = apart_from(weights["contiguous"], weights[name], {"w": start})
        if apart:
            return f"{apart}, contiguous and {name}"
    return ""
