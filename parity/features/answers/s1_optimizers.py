"""weight_decay of SGD and of Adam: the same word, another method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from parity.backends.reference import run_reference
from parity.features.answers.answer import TUTORIAL, Answer, Reply
from parity.features.answers.runs import entry
from refimpl.optimizers import AdamW


def evidence() -> Reply:
    rows = []
    largest = 0.0
    for name in ("s1-sgd-decay", "s1-adam-decay"):
        inside, decayed = (run_reference(entry(name), form) for form in ("loss", "weight_decay"))
        largest = max(largest, float(np.abs(inside.params["weight"] - decayed.params["weight"]).max()))
        without = run_reference(entry(name, penalties=()), "loss")
        rows += [(f"{name}, λ = 0", _length(without)), (f"{name}", _length(decayed))]
    adam: Any = entry("s1-adam-decay")
    lam = float(adam.penalties[0].strength)
    decoupled = replace(adam, penalties=(), optimizer=AdamW(lr=adam.optimizer.lr, weight_decay=lam))
    rows.append((f"AdamW, weight_decay = {lam:g}", _length(run_reference(decoupled, "loss"))))
    parted = " to 12 digits" if largest < 1e-12 else f" but for {largest:.1g}"
    start = _length(run_reference(adam, "loss"), 0)
    return Reply(
        text=f"""\
Both `weight_decay` add λp to the gradient, which is the gradient of λ/2·Σp²: with the penalty in the loss the
weights are the same{parted}. For SGD that is all. Adam then divides the sum by √v, its running size: a small λp
beside a large gradient is scaled with it, and alone it would move p by η per step, whatever λ is. AdamW shrinks
the weights by ηλ beside the step. From ‖w‖ = {start:.3g}, after 100 steps (Adam with η = 0.001 moves a weight
by at most about 0.1 in these, so nothing has converged):""",
        columns=("run", "‖w‖ at the end"),
        rows=tuple(rows),
    )


def _length(recorded: Any, step: int = -1) -> float:
    return float(recorded.norm[step, 0])


ANSWER = Answer(
    id="s1-optimizers",
    source=TUTORIAL,
    asked="SGD(lr=0.01, weight_decay=0.1) and Adam(lr=0.001, weight_decay=0.01): is it the L2 penalty?",
    why="both add λp to the gradient; Adam then divides it by √v, so that it is no fixed penalty any more",
    experiments=("s1-sgd-decay", "s1-adam-decay"),
    commands=(
        "parity run s1-sgd-decay s1-adam-decay --dtype float64",
        "parity known adam-decay-is-coupled",
        "parity bridge decoupled",
    ),
    evidence=evidence,
)
