"""The tutorial's patterns for L2 and L1: over all parameters, without the ½."""

from __future__ import annotations

import numpy as np

from parity.features.answers.answer import TUTORIAL, Answer, Reply
from parity.features.answers.runs import entry, final, run


def evidence() -> Reply:
    rows = []
    for name, term in (("s1-xor-lam0", "none"), ("s1-pattern-l2", "0.01·Σp²"), ("s1-pattern-l1", "0.005·Σ|p|")):
        recorded = run(entry(name))
        weight, bias = recorded.params["weight"][-1][0, 0], recorded.params["bias"][-1][0, 0]
        rows.append((term, final(recorded.train_loss), float(np.linalg.norm(weight)), float(bias)))
    return Reply(
        text="""\
In this project's convention, `λ/2·‖w‖²` and `λ·‖w‖₁`, they are λ = 0.02 (its gradient is 2·0.01·p) and λ =
0.005, on weight and bias. What `weight_decay` does is the first, with weight_decay = 0.02. Both pull on the
bias, too, which the data want at ½. With the gradient λ·sign(p), L1 weights come near 0 and then cross it at
every step; they are 0 exactly after a proximal step: `parity bridge l1`.""",
        columns=("penalty", "mean squared error", "‖w‖", "b"),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="s1-patterns",
    source=TUTORIAL,
    asked="Loss + 0.01·Σp² for L2, loss + 0.005·Σ|p| for L1, over all parameters. Which λ are these?",
    why="without the ½, 0.01·Σp² is λ = 0.02; all parameters includes the bias",
    experiments=("s1-pattern-l2", "s1-pattern-l1"),
    commands=("parity run s1-pattern-l2 s1-pattern-l1 --dtype float32", "parity bridge l1"),
    evidence=evidence,
)
