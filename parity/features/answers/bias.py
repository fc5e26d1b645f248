"""What does decaying the bias do?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parity.features.answers.answer import NOTES, TEXTBOOK, THREAD, Answer, Reply
from parity.features.answers.runs import entry, minimiser
from parity.features.known.known import KNOWN
from refimpl.penalties import L2

LAM = 3.0


def evidence() -> Reply:
    base = entry("s0-scratch-lam3")
    rows = []
    for level in (0.05, 1.0, 10.0):
        experiment = replace(base, data=replace(base.data, bias=level))  # type: ignore[type-var]  # a dataclass
        data = experiment.draw().dataset
        assert data.X_validation is not None and data.y_validation is not None
        for label, names in (("weight", ("weight",)), ("weight and bias", ("weight", "bias"))):
            best = minimiser(experiment, (L2(strength=LAM, parameters=names),))
            residual = experiment.model.forward(best, data.X) - data.y
            beyond = experiment.model.forward(best, data.X_validation) - data.y_validation
            numbers = float(best["bias"][0, 0]), round(float(residual.mean()), 12) + 0.0, float(np.mean(beyond**2) / 2)
            rows.append((level, label, *numbers))
    return Reply(
        text=f"""\
It pulls all predictions towards 0. ∂J/∂b = 0 reads mean(r) = 0 without decay on the bias, and mean(r) = −λb
with it (for the loss ½·mean(r²)): predictions are off by λb on average, the more the larger the targets are.
And the fit then depends on the origin of y: adding a constant to all targets changes the weights, too. In the
textbook's data b* = 0.05 is small, so it hardly shows. In torch `weight_decay` reaches every parameter that is
in no group of its own ({KNOWN["weight-decay-reaches-bias"].observe().text}). The exact minimisers for λ =
{LAM:g}, by the true b*:""",
        columns=("b*", "decayed", "b", "mean residual", "validation loss"),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="bias",
    source=f"{TEXTBOOK}, {NOTES}, {THREAD}",
    asked="weight_decay applies to all parameters unless groups exclude the bias. What does decaying the bias do?",
    seen="the textbook: the rule; the course notes: the penalty may also include the squared bias",
    why="predictions are off by λb on average, and the fit depends on the origin of the targets",
    experiments=("s0-scratch-lam3",),
    commands=("parity bridge bias-decay", "parity known weight-decay-reaches-bias"),
    evidence=evidence,
)
