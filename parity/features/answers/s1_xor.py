"""XOR with a linear model: what is the best that it can do?"""

from __future__ import annotations

import numpy as np

from parity.features.answers.answer import TUTORIAL, Answer, Cell, Reply
from parity.features.answers.runs import entry, final, minimiser, run
from refimpl.problem import Problem
from refimpl.types import Params


def evidence() -> Reply:
    rows: list[tuple[Cell, ...]] = []
    for name, label in (("s1-xor-lam0", "λ = 0"), ("s1-xor", "0.1·Σp²")):
        experiment = entry(name)
        recorded = run(experiment)
        reached = {key: values[-1] for key, values in recorded.params.items()}
        best = minimiser(experiment, experiment.penalties)
        rows.append(_row(f"{label}, best in closed form", best))
        rows.append(_row(f"{label}, after {experiment.epochs} epochs", reached))
    weight = final(run(entry("s1-xor-lam0")).norm)
    return Reply(
        text=f"""\
The best linear model says ½ to everything. With centred inputs `u = x − ½` the four products `uᵢ(y − ½)` add up
to 0 for each input (XOR is uncorrelated with either), so `∂J/∂w = 0` at w = 0, and `b = mean(y) = ½`. Every
residual is ±½, so the mean squared error is ¼ (with the ½ in front, ⅛): no learning rate, penalty or number of
epochs goes below. The run without penalty is there to within ‖w‖ = {weight:.2g}. The penalty includes the bias:
it pulls b below ½, and the weights make up for a part of it. Rounded to 0 and 1, predictions beside ½ are a
matter of the last step: how many are right says nothing. A hidden layer, not a penalty, is what is missing.""",
        columns=("model", "w₁", "w₂", "b", "mean squared error", "predictions", "right when rounded"),
        rows=tuple(rows),
    )


def _row(label: str, params: Params) -> tuple[Cell, ...]:
    experiment = entry("s1-xor-lam0")
    dataset = experiment.draw().dataset
    problem = Problem(model=experiment.model, loss=experiment.loss)
    outputs = experiment.model.forward(params, dataset.X)[0, :, 0]
    w1, w2 = (float(weight) for weight in np.round(params["weight"][0, 0], 12) + 0.0)
    loss = float(problem.data_loss(params, dataset.X, dataset.y)[0])
    shown = ", ".join(f"{output:.3f}" for output in outputs)
    right = int(np.sum(np.round(outputs, 12).round() == dataset.y[0, :, 0]))  # ½ rounds to 0
    return label, w1, w2, float(params["bias"][0, 0]), loss, shown, right


ANSWER = Answer(
    id="s1-xor",
    source=TUTORIAL,
    asked="A linear model learns XOR, with and without the penalty 0.1·Σp². How good can it become?",
    seen="the final error without the penalty, and rounded predictions",
    why="the best linear model of XOR is ½ everywhere, with mean squared error ¼",
    experiments=("s1-xor", "s1-xor-lam0"),
    commands=("parity run 's1-xor*' --dtype float32", "parity stability s1-xor"),
    evidence=evidence,
)
