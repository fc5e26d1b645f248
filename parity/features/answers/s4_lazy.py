"""A lazily shaped layer, and the penalty in the validation loss."""

from __future__ import annotations

import numpy as np

from parity.features.answers.answer import THREAD, Answer, Reply
from parity.features.answers.runs import entry, final, run, unseen, with_l2


def evidence() -> Reply:
    lazy = entry("s4-lazy-lam01")
    material = lazy.draw()
    start, steps = material.params["weight"], sum(len(batches) for batches in material.order)
    hidden = float(np.sum(unseen(material.dataset.X, start) ** 2) / np.sum(start**2))
    rows = []
    for lam in (0, 0.1, 0.3, 1, 3, 10):
        recorded = run(with_l2("s4-lazy-lam01", lam))
        assert recorded.validation_loss is not None
        first, last = float(recorded.validation_loss[0, 0]), final(recorded.validation_loss)
        with_penalty = last + lam / 2 * final(recorded.norm) ** 2
        rows.append((lam, first, last, with_penalty, (1 - 0.01 * lam) ** steps))
    return Reply(
        text=f"""\
The layer forgets the N(0, 0.01²) of its constructor and starts at U(−1/√p, 1/√p). {100 * hidden:.0f} % of ‖w₀‖²
lies along directions that no training row sees, and makes up nearly all of the validation loss. Training cannot
touch it; only the decay can, and it leaves (1 − ηλ)^{steps} of it in {steps} steps, nearly all for λ = 0.1. So
the curve is flat for every λ that one would call small; it is not for λ = 3. Where the loss that is plotted
contains the penalty, as it does when one function serves both, validation has λ/2·‖w‖² on top, which is no
prediction error and cannot be compared between two λ.""",
        columns=(
            "λ",
            "validation loss, first",
            "after 10 epochs",
            "the same with the penalty",
            f"(1 − ηλ)^{steps}",
        ),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="s4-lazy",
    source=THREAD,
    asked="A lazily shaped layer, MSELoss + 0.1/2·‖w‖², η = 0.01, 10 epochs. Why does the validation loss not move?",
    seen="whatever λ is set, the validation loss stays constant",
    why="it is the random start along directions that no row sees, which λ = 0.1 removes in hundreds of epochs only",
    experiments=("s4-lazy-lam01",),
    commands=(
        "parity run s4-lazy-lam01 --dtype float32 --formulation loss",
        "parity known lazy-layer-forgets-weights",
    ),
    evidence=evidence,
)
