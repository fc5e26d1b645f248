"""The article's network: what its penalty and its schedule amount to."""

from __future__ import annotations

import numpy as np

from parity.features.answers.answer import ARTICLE, Answer, Reply
from refimpl.schedules import Step

TENSORS = {"fc1.weight": (128 * 784, 784), "fc1.bias": (128, 784), "fc2.weight": (1280, 128), "fc2.bias": (10, 128)}
"""Numbers in each parameter, and the inputs of its layer."""


def evidence() -> Reply:
    squares = {name: numbers / (3 * inputs) for name, (numbers, inputs) in TENSORS.items()}  # of U(−1/√p, 1/√p)
    schedule = Step(step_size=5, gamma=0.7)
    rates = [float(schedule.at(epoch, {"lr": 0.001}).get("lr", 0.001)) for epoch in (0, 4, 5, 9)]
    penalty, chance = 0.01 * sum(squares.values()), float(np.log(10))
    return Reply(
        text=f"""\
The penalty must be summed within each tensor (s2-no-scalar); meant is 0.01·Σp² over
{sum(n for n, _ in TENSORS.values()):,} numbers, λ = 0.02 here. A layer starts at U(−1/√p, 1/√p) for p inputs,
with Σp² = numbers/(3p): the penalty begins at {penalty:.2g}, beside a cross-entropy of {chance:.2g} for ten
classes by chance, so it matters from the first step. In Adam its gradient is divided by √v with the rest; AdamW
with weight_decay = 0.02 would be far weaker, ηλ = {0.001 * 0.02:.0e} of each weight per step. StepLR(5, 0.7)
leaves η at {rates[0]:g} for the first five epochs and has {rates[2]:g} for the other five. Every step of the
network is held to the hand-derived reference, with the digits that come with scikit-learn; the loader takes
MNIST's own files, too.""",
        columns=("parameter", "numbers", "Σp² at the start"),
        rows=tuple((name, TENSORS[name][0], value) for name, value in squares.items()),
    )


ANSWER = Answer(
    id="s2-network",
    source=ARTICLE,
    asked="A network 784 → 128 → ReLU → 10 is trained by Adam with 0.01·Σp² over all parameters. Which λ is that?",
    why="λ = 0.02 on weights and biases alike, through Adam; s2-no-scalar says how to write it",
    experiments=("s2-mlp", "s2-mlp-schedule", "s2-mlp-adamw", "s2-mlp-rmsprop", "s2-mlp-dropout"),
    commands=("parity run s2-mlp --dtype float32 --formulation loss",),
    evidence=evidence,
)
