"""λ = 10 at η = 0.03: no divergence, but an erratic training loss."""

from __future__ import annotations

from parity.features.answers.answer import THREAD, Answer, Reply
from parity.features.answers.runs import run, with_l2
from parity.features.stability.stability import stability, stable_strengths
from refimpl.batches import Batches
from refimpl.optimizers import SGD

SETTLED = 50
"""Epochs after which only the fluctuation is left."""


def evidence() -> Reply:
    forecast = stability(with_l2("s4-lam10", 10.0), [0.03])
    strengths = stable_strengths(with_l2("s4-lam10", 10.0))
    assert strengths is not None
    rows = []
    for lr in (0.003, 0.01, 0.02, 0.03):
        loss = run(with_l2("s4-lam10", 10.0, optimizer=SGD(lr=lr))).train_loss[SETTLED:, 0]
        rows.append((f"η = {lr:g}", float(loss.mean()), float(loss.min()), float(loss.max())))
    fixed = run(with_l2("s4-lam10", 10.0, batches=Batches(size=5, order="fixed"))).train_loss[SETTLED:, 0]
    rows.append(("η = 0.03, the same batches each epoch", float(fixed.mean()), float(fixed.min()), float(fixed.max())))
    overshoot = 0.03 * (forecast.curvature[1] + 10) - 1
    return Reply(
        text=f"""\
The two observations belong together. At η = 0.03 the run without penalty diverges; with λ = 10 it does not,
although 2/(L + λ) = {forecast.batch_limit:.3g} is smaller still. What one batch stretches, by a factor up to ηκ −
1 = {overshoot:.1f}, the decay shrinks by 1 − ηλ = {1 - 0.03 * 10:.1f} at each of the other three steps of the
epoch: errors × {forecast.growth.largest:.2f} per epoch. At this η every λ from {strengths[0]:.2g} to
{strengths[1]:.2g} is stable. But each step overshoots, and the batches disagree: with λ > 0 no w fits all of
them, their gradients at the minimiser add up to 0 without being 0. So the loss never settles; how far it jumps
is a matter of η and of the order of the batches. In a fixed order it repeats itself from epoch to epoch.
Training loss in epochs {SETTLED} to 100:""",
        columns=("run", "mean", "least", "largest"),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="s4-erratic",
    source=THREAD,
    asked="The notes' concise run with η = 0.03 and λ = 10: why is its training loss erratic?",
    seen="the training loss is erratic",
    why="each batch is beyond its own limit, only the decay of the steps between keeps the run together",
    experiments=("s4-lam10",),
    commands=(
        "parity stability s4-lam10",
        "parity run s4-lam10 --dtype float32 --formulation loss",
        "parity bridge sgd-fixed-point",
    ),
    evidence=evidence,
)
