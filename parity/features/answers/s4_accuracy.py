"""An accuracy that measures the mean only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parity.features.answers.answer import THREAD, Answer, Reply
from parity.features.answers.runs import entry, final, run, with_l2
from refimpl.trajectory import Trajectory
from refimpl.types import Array

SEEDS = 20
STRENGTHS = (1, 2, 3, 5, 8, 10)


def evidence() -> Reply:
    data = entry("s4-accuracy").draw().dataset
    assert data.X_validation is not None and data.y_validation is not None
    rows = []
    for lam in STRENGTHS:
        recorded = run(with_l2("s4-accuracy", lam))
        on = accuracy(recorded, data.X, data.y), accuracy(recorded, data.X_validation, data.y_validation)
        rows.append((lam, *on, final(recorded.validation_loss), final(recorded.params["bias"][:, :, 0])))
    nothing = replace(
        run(with_l2("s4-accuracy", 1)),
        params={"weight": np.zeros((1, 1, 1, 200)), "bias": data.y.mean()[None, None, None]},
    )
    spread = []
    for seed in range(SEEDS):
        other = with_l2("s4-accuracy", 3, seed=seed)
        drawn = other.draw().dataset
        assert drawn.X_validation is not None and drawn.y_validation is not None
        spread.append(accuracy(run(other), drawn.X_validation, drawn.y_validation))
    return Reply(
        text=f"""\
`100·(1 − |mean(ŷ − y)/mean(y)|)` compares two means and nothing else. A model with w = 0 that says the mean of
y to every row has {accuracy(nothing, data.X, data.y):.0f} on the training rows. The mean of ŷ is x̄·w + b, and
after ten epochs b has come less than a third of the way from 0 to 0.05: with a small λ the weights fill in for
it on these very rows, so the accuracy is best at λ = 1, where the validation loss is worst. And it divides by
mean(y), which is 0.05 ± 0.014 for 100 rows: at λ = 3 it ranges from {min(spread):.0f} to {max(spread):.0f} over
{SEEDS} seeds.""",
        columns=("λ", "accuracy, training", "accuracy, validation", "validation loss", "b"),
        rows=tuple(rows),
    )


def accuracy(recorded: Trajectory, X: Array, y: Array) -> float:
    """100·(1 − |mean(ŷ − y)/mean(y)|)."""
    outputs = X[0] @ recorded.params["weight"][-1][0, 0] + recorded.params["bias"][-1][0, 0]
    return float(100 * (1 - np.abs(np.mean(outputs - y[0, :, 0]) / np.mean(y))))


ANSWER = Answer(
    id="s4-accuracy",
    source=THREAD,
    asked="100 rows, batches of 20, λ = 1 … 10, judged by accuracy = 100·(1 − |mean(ŷ − y)/mean(y)|). Which λ is best?",
    why="the accuracy compares two means, not predictions: it is best where the validation loss is worst",
    experiments=("s4-accuracy",),
    commands=(
        "parity run s4-accuracy --dtype float32 --formulation loss",
        "parity sweep s4-accuracy --strength 1:10:1",
    ),
    evidence=evidence,
)
