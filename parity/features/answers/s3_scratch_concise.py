"""The notes: weight decay from scratch and concise, with and without λ = 3."""

from __future__ import annotations

import numpy as np

from parity.features.answers.answer import NOTES, Answer, Reply
from parity.features.answers.runs import entry, final, run, unseen
from refimpl.exact.ridge import ridge
from refimpl.losses import SquaredError
from refimpl.penalties import L2


def evidence() -> Reply:
    rows = []
    for name in ("s3-scratch-lam0", "s3-scratch-lam3", "s3-concise-lam0", "s3-concise-lam3"):
        recorded = run(entry(name))
        rows.append((name, final(recorded.train_loss), final(recorded.validation_loss), final(recorded.norm)))
    free = entry("s3-concise-lam0")
    material = free.draw()
    data = material.dataset
    assert data.truth is not None
    hidden = float(np.sum(unseen(data.X, material.params["weight"] - data.truth["weight"]) ** 2))
    best = {}
    for name in ("s3-scratch-lam3", "s3-concise-lam3"):
        experiment = entry(name)
        loss, (penalty,) = experiment.loss, experiment.penalties
        assert isinstance(loss, SquaredError) and isinstance(penalty, L2)
        solution = ridge(data.X, data.y, loss, penalty.strength)
        best[name] = float(np.linalg.norm(solution.params["weight"]))
    return Reply(
        text=f"""\
From scratch, the penalty is added to each row's loss, the rows are summed, and the step divides by their
number: `1/m Σ(½rᵢ² + λ/2·‖w‖²) = ½·mean(r²) + λ/2·‖w‖²`, the usual objective. Concise, MSELoss has no ½: the
data weigh twice as much, so its λ = 3 is a λ = 1.5 from scratch, and the norms differ although both are right:
the exact minimisers have ‖w‖ = {best["s3-scratch-lam3"]:.3g} and {best["s3-concise-lam3"]:.3g}. Without a
penalty the training loss goes to 0 and the validation loss hardly falls: 20 rows see 20 of 200 directions, and
along the other 180 the random start stays, ‖unseen part of w₀ − w*‖² = {hidden:.3g}, which is what the concise
run's validation loss stays at, as far as 100 rows can show it. That, rather than noise, is the overfitting on
this page; weight decay helps because it removes the start.""",
        columns=("run", "training loss", "validation loss", "‖w‖"),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="s3-scratch-concise",
    source=NOTES,
    asked="Training from scratch and concisely, λ = 0 and λ = 3: are the two the same, and why is λ = 0 so bad?",
    seen="training and test loss on a log axis, far apart without the penalty; ‖w‖",
    why="MSELoss has no ½; and without decay the start stays along every direction that no row sees",
    experiments=("s3-scratch-lam0", "s3-scratch-lam3", "s3-concise-lam0", "s3-concise-lam3"),
    commands=("parity run 's3-*' --dtype float32 --formulation loss",),
    evidence=evidence,
)
