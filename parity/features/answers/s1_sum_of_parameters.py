"""A penalty that sums the parameters instead of their squares, and does not even run."""

from __future__ import annotations

import numpy as np

from parity.features.answers.answer import TUTORIAL, Answer, Reply
from parity.features.answers.runs import entry
from parity.features.known.known import KNOWN
from refimpl.exact.quadratic import quadratic
from refimpl.problem import Problem


def evidence() -> Reply:
    experiment = entry("s1-xor-lam0")
    dataset = experiment.draw().dataset
    whole = quadratic(Problem(model=experiment.model, loss=experiment.loss), dataset.X, dataset.y)
    H = (whole.h * whole.M.T @ whole.M).astype(float)
    q = (whole.h * whole.M.T @ whole.y).astype(float)
    rows = []
    for lam in (0.0, 0.1, 1.0, 10.0):
        w1, w2, b = (float(x) for x in np.round(np.linalg.solve(H, q - lam), 12) + 0.0)  # Hθ − q + λ1 = 0
        loss = np.mean((dataset.X[0] @ [w1, w2] + b - dataset.y[0, :, 0]) ** 2)
        rows.append((lam, w1, w2, b, float(loss)))
    return Reply(
        text=f"""\
As written it fails: `{KNOWN["torch-sum-takes-no-generator"].observe().text}`. Python's own `sum` would run, and
would be wrong: `λΣp` has the constant gradient λ, whatever p is. It does not pull towards 0, it pushes every
parameter down by ηλ at each step, past 0 as well, and is rewarded for negative ones. Where the data hold on,
the minimiser moves by `−λH⁻¹1`; along a direction that no row sees there is no minimum at all. On XOR:""",
        columns=("λ", "w₁", "w₂", "b", "mean squared error"),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="s1-sum-of-parameters",
    source=TUTORIAL,
    asked="A snippet penalises torch.sum of a generator of parameters, not of their squares. What does it do?",
    seen="it is shown as a way to write the penalty",
    why="torch.sum takes no generator; and a plain sum pushes parameters down for ever, it does not pull them to 0",
    commands=("parity known torch-sum-takes-no-generator",),
    evidence=evidence,
)
