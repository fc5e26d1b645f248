"""λ up to 50 and beyond."""

from __future__ import annotations

import numpy as np

from parity.features.answers.answer import THREAD, Answer, Reply
from parity.features.answers.runs import entry, final, run, unseen, with_l2
from parity.features.stability.stability import stable_strengths


def evidence() -> Reply:
    strengths = stable_strengths(entry("s4-lam50"))
    assert strengths is not None
    data = entry("s4-lam50").draw().dataset
    assert data.truth is not None
    floor = (0.01**2 + float(np.sum(unseen(data.X, data.truth["weight"]) ** 2))) / 2  # ½(σ² + ‖P⊥w*‖²)
    rows = []
    for lam in (0, 1, 3, 10, 50, 150, 180, 190, 200, 250):
        recorded = run(with_l2("s4-lam50", lam))
        assert recorded.validation_loss is not None
        after = [float(recorded.validation_loss[epoch, 0]) for epoch in (0, 1, 10)]
        rows.append((lam, *after, abs(1 - 0.01 * lam), final(recorded.norm)))
    return Reply(
        text=f"""\
Along directions that no row sees, a step multiplies w by 1 − ηλ, whatever the data are: beyond λ = 2/η = 200
each step turns those weights around and makes them larger. Along the others the curvature of the batch is
added; exact for these batches is the growth per epoch, which reaches 1 at λ = {strengths[1]:.3g}. Below that
the validation loss falls as fast as the start is forgotten, and then meets a floor that no λ can lower: ½(σ² +
‖unseen part of w*‖²) = {floor:.2g}, the noise and what {data.X.shape[1]} rows cannot tell about
{data.X.shape[2]} weights. The rest is the bias, which is still on its way. Validation loss by epoch:""",
        columns=("λ", "epoch 0", "1", "10", "|1 − ηλ|", "‖w‖ at the end"),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="s4-large-lam",
    source=THREAD,
    asked="λ up to 50 and more. At which λ does it diverge, and why does validation not fall below a hundredth?",
    seen="validation loss falls early, then no lower than about 1e-2; extreme λ diverges",
    why="beyond λ ≈ 2/η each step makes every weight larger; the floor is what the rows cannot tell about w*",
    experiments=("s4-lam50", "s4-lam-beyond-limit"),
    commands=(
        "parity stability s4-lam50",
        "parity run s4-lam50 s4-lam-beyond-limit --dtype float32 --formulation loss",
    ),
    evidence=evidence,
)
