"""L1 subtracted instead of added."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parity.features.answers.answer import THREAD, Answer, Cell, Reply
from parity.features.answers.runs import entry, run
from parity.features.stability.stability import stability
from refimpl.optimizers import SGD
from refimpl.penalties import L1

LR = 0.003


def evidence() -> Reply:
    asked = entry("s4-l1-subtracted", epochs=40)
    predicted = stability(asked, [0.03])
    runs = {
        "subtracted, η = 0.03": asked,
        f"subtracted, η = {LR:g}": replace(asked, optimizer=SGD(lr=LR)),
        f"added, η = {LR:g}": replace(asked, optimizer=SGD(lr=LR), penalties=(L1(strength=1.0),)),
    }
    rows: list[tuple[Cell, ...]] = []
    for label, experiment in runs.items():
        recorded = run(experiment)
        every = len(experiment.draw().order[0])
        sizes = [float(np.abs(recorded.params["weight"][every * epoch]).sum()) for epoch in (0, 10, 20, 40)]
        rows.append((label, *sizes))
    return Reply(
        text=f"""\
For two reasons, of which the first hides the second. η = 0.03 is beyond the limit {predicted.lr_limit:.3g} of
these batches, as in s4-beyond-limit: errors grow by {predicted.growth.largest:.2f} per epoch, whatever the
penalty. With a smaller η the wrong sign shows: `mean(r²) − ‖w‖₁` has no minimum. Along the 180 directions that
no row sees the data cost nothing and −‖w‖₁ falls without end; there the gradient −sign(w) moves every weight
away from 0 by up to η at each step, a steady drift rather than a growth. ‖w‖₁ after so many epochs (added, λ =
1 is so strong that the weights end at the jitter of the sign, about 200·ηλ):""",
        columns=("run", "0", "10", "20", "40"),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="s4-l1-subtracted",
    source=THREAD,
    asked="mean(r²) − ‖w‖₁ with SGD, η = 0.03, 20 epochs. What does a penalty with the wrong sign do?",
    why="the objective has no minimum: weights are rewarded for growing; and η is beyond the limit besides",
    experiments=("s4-l1-subtracted",),
    commands=(
        "parity stability s4-l1-subtracted",
        "parity run s4-l1-subtracted --dtype float32 --formulation loss",
    ),
    evidence=evidence,
)
