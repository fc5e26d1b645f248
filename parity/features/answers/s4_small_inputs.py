"""Inputs scaled to 0.01, and the norm as a penalty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parity.features.answers.answer import THREAD, Answer, Cell, Reply
from parity.features.answers.runs import entry, final, run
from refimpl.exact.gradient_descent import stability_limit
from refimpl.models import Linear
from refimpl.optimizers import SGD
from refimpl.problem import Problem

SEEDS = 10


def evidence() -> Reply:
    plain, penalised = entry("s4-small-inputs-lam0"), entry("s4-small-inputs-norm")
    material = plain.draw()
    steps = sum(len(batches) for batches in material.order)
    of_weight = 2 / float(stability_limit(Problem(model=Linear(bias=False), loss=plain.loss), material.dataset.X)[0])
    weight, bias = (100 * (1 - (1 - 0.003 * curvature) ** steps) for curvature in (of_weight, 1))
    rows: list[tuple[Cell, ...]] = []
    for label, experiment, lam in (
        ("no penalty", plain, 0.0),
        ("1.5·‖w‖", penalised, 1.5),
        ("no penalty, η = 1", replace(plain, optimizer=SGD(lr=1.0)), 0.0),
    ):
        recorded = run(experiment)
        length, data = final(recorded.norm), final(recorded.train_loss)
        rows.append((label, length, data, data + lam * length, final(recorded.validation_loss)))
    seeds = [run(replace(plain, seed=seed)) for seed in range(SEEDS)]
    below = sum(final(recorded.validation_loss) < final(recorded.train_loss) for recorded in seeds)
    return Reply(
        text=f"""\
The weights have learned nothing. Inputs of size 0.01 make their curvature 10⁴ times smaller, at most
{of_weight:.2g}, while η stayed 0.003: in {steps} steps even the direction that the rows see best loses only
{weight:.1g} % of its error, and what is plotted is the random start. (The bias, whose curvature is 1 whatever
the inputs are, loses {bias:.0f} % of its own.) Which of training and validation loss is lower is then a matter
of luck: validation is, in {below} of {SEEDS} seeds. With the penalty in the training loss and not in the
validation loss it always is: 1.5·‖w‖ is a thousand times the data's part. That is also why the run without
penalty looks better; in the data's part alone it is worse. The norm pulls with the constant length 1.5,
whatever ‖w‖ is: η·1.5·{steps} = {0.003 * 1.5 * steps:.2g} in all, of the
{float(np.linalg.norm(material.params["weight"])):.0f} that ‖w₀‖ has; the pull of its square would be
proportional to ‖w‖. A larger η is no remedy: the bias allows η < 2, and then the weights need hundreds of
epochs more. The remedy is to scale the inputs.""",
        columns=("run", "‖w‖", "training loss, data's part", "training loss with the penalty", "validation loss"),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="s4-small-inputs",
    source=THREAD,
    asked="Inputs N(0, 0.01²), noise 0.001, penalty λ‖w‖/2 (not squared), η = 0.003. Why does no penalty look better?",
    seen="the unregularised model looks better, and validation loss is below training loss",
    why="η is 10⁴ times too small for such inputs: the plots show the random start, and in one of them the penalty",
    experiments=("s4-small-inputs-lam0", "s4-small-inputs-norm"),
    commands=("parity run 's4-small-*' --dtype float32 --formulation loss", "parity stability s4-small-inputs-lam0"),
    evidence=evidence,
)
