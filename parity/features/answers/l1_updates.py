"""The update equations for L1, in numbers."""

from __future__ import annotations

import numpy as np

from parity.features.answers.answer import THREAD, Answer, Reply
from refimpl.optimizers import SGD, ProximalSGD
from refimpl.penalties import L1, L2

LR, LAM = 0.1, 0.5
WEIGHTS = (0.8, -0.3, 0.04, 0.0, 0.0)
GRADIENTS = (0.2, -0.1, 0.1, 0.3, -0.9)


def evidence() -> Reply:
    w, g = np.array([[WEIGHTS]]), np.array([[GRADIENTS]])
    penalty = L1(strength=LAM)
    subgradient, _ = SGD(lr=LR).step(w, g + penalty.subgradient(w), {})
    proximal, _ = ProximalSGD(lr=LR, penalty=penalty).step(w, g, {})
    decayed, _ = SGD(lr=LR).step(w, g + L2(strength=LAM).subgradient(w), {})
    steps = [np.round(step[0, 0], 12) + 0.0 for step in (subgradient, proximal, decayed)]
    rows = [(*pair, *map(float, row)) for *pair, row in zip(WEIGHTS, GRADIENTS, np.stack(steps, axis=1), strict=True)]
    return Reply(
        text=f"""\
With the gradient g of the loss alone:

* subgradient: `w ← w − η(g + λ·sign(w))`, with sign(0) = 0
* proximal: `v = w − ηg`, then `w ← sign(v)·max(|v| − ηλ, 0)`
* L2, for comparison: `w ← w − η(g + λw)`

L1 takes the same ηλ off every weight, L2 a share of it. At 0 the proximal step stays where |g| ≤ λ; that is
also the condition for 0 to be optimal. The subgradient step leaves 0 at once. For η = {LR:g}, λ = {LAM:g}:""",
        columns=("w", "g", "subgradient", "proximal", "L2"),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="l1-updates",
    source=THREAD,
    asked="What are the update equations for L1?",
    why="a constant step ηλ towards 0, and exactly 0 where the proximal step would cross it",
    commands=("parity trace check-l1 --steps 1", "parity bridge l1"),
    evidence=evidence,
)
