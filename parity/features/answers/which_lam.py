"""Which λ is best, and does it matter?"""

from __future__ import annotations

import numpy as np

from parity.features.answers.answer import THREAD, Answer, Reply
from parity.features.answers.runs import entry
from refimpl.exact.ridge import ridge
from refimpl.exact.selection import expected_square, scores, strength_of_prior
from refimpl.losses import SquaredError
from refimpl.types import Array

STRENGTHS = np.geomspace(1e-3, 1e2, 101)


def evidence() -> Reply:
    data = entry("s0-scratch-lam3").draw().dataset
    loss = SquaredError(factor=0.5, reduction="mean")
    assert data.X_validation is not None and data.y_validation is not None and data.truth is not None
    solutions = ridge(data.X, data.y, loss, STRENGTHS).params
    outputs = entry("s0-scratch-lam3").model.forward(solutions, data.X_validation)
    validation = np.mean((outputs - data.y_validation) ** 2, axis=(1, 2))
    risk = expected_square(solutions, data.truth, noise=0.01, scale=1.0)
    estimates = scores(data.X, data.y, loss, STRENGTHS)
    prior = strength_of_prior(loss, data.X.shape[1], noise=0.01, width=0.01)
    chosen = {
        "validation rows": int(np.argmin(validation)),
        "generalised cross-validation": int(np.argmin(estimates.gcv)),
        "leave-one-out": int(np.argmin(estimates.leave_one_out)),
        "prior and noise": int(np.argmin(np.abs(np.log(STRENGTHS / prior)))),
        "held-out truth": int(np.argmin(risk)),
    }
    rows = tuple((by, float(STRENGTHS[i]), float(risk[i])) for by, i in chosen.items())
    return Reply(
        text=f"""\
On these data it hardly matters. The expected squared error of the exact ridge solutions on new rows goes from
{_range(risk)} over five decades of λ: 20 rows tell little about 200 weights, and the part of w* that they do
not see costs the same at every λ. The prior that made the data, w* = 0.01 with noise 0.01, asks for λ =
σ²/(nτ²) = {prior:.2g}. Where λ did matter in the thread, it was by forgetting the random start (s4-sweep).
Methods that need no truth, and what each costs:""",
        columns=("chosen by", "λ", "expected squared error"),
        rows=rows,
    )


def _range(values: Array) -> str:
    return f"{values.min():.4f} to {values.max():.4f}"


ANSWER = Answer(
    id="which-lam",
    source=THREAD,
    asked="Which λ is best, and does it matter (validation, generalised cross-validation, held-out truth)?",
    why="with 20 rows of 200 features nearly every λ is as good; it matters for forgetting the start",
    experiments=("s0-scratch-lam3",),
    commands=("parity sweep s0-scratch-lam3 --strength log:1e-3:1e2:50", "parity bridge priors"),
    evidence=evidence,
)
