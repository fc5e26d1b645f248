"""η = 0.03: the loss grows exponentially."""

from __future__ import annotations

from parity.features.answers.answer import THREAD, Answer, Reply
from parity.features.answers.runs import entry
from parity.features.stability.stability import stability

RATES = (0.003, 0.01, 0.02, 0.022, 0.023, 0.025, 0.03)


def evidence() -> Reply:
    forecast = stability(entry("s4-beyond-limit"), RATES)
    low, high = forecast.curvature
    return Reply(
        text=f"""\
A step multiplies the error along an eigenvector of the batch's Hessian by 1 − ηκ, which is below −1 for η >
2/κ. Batches of 5 rows of 200 features have a largest curvature L of {low:.0f} to {high:.0f}
({forecast.mean_curvature:.0f} for all rows together: one can be far from the other), so one batch again and again
is stable for η < 2/(L + λ) = {forecast.batch_limit:.3g}. The batches take turns, and each leaves alone most of
what another one stretches; the growth of the product of all steps is 1 at η = {forecast.lr_limit:.3g}. η = 0.03 is
{0.03 / forecast.lr_limit:.2f} times that: predicted is a growth of errors by {forecast.growth.largest:.2f} per epoch,
before anything is run. The same runs, after ten epochs:""",
        columns=("η", "errors × per epoch, predicted", "predicted", "training loss"),
        rows=tuple(
            (row.lr, row.growth.largest, "diverges" if row.growth.diverges else "converges", row.train_loss)
            for row in forecast.rows
        ),
    )


ANSWER = Answer(
    id="s4-beyond-limit",
    source=THREAD,
    asked="The notes' concise run diverges with η = 0.03. What is the largest stable η for these batches?",
    seen="the loss grows exponentially",
    why="η is beyond the stability limit of these batches, known before the run",
    experiments=("s4-beyond-limit",),
    commands=("parity stability s4-beyond-limit", "parity run s4-beyond-limit --dtype float32 --formulation loss"),
    evidence=evidence,
)
