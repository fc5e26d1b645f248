"""Is the λ of a framework λ, 2λ or λ/2?"""

from __future__ import annotations

from parity.errors import InputError
from parity.features.answers.answer import LIBRARIES, Answer, Reply
from parity.features.convert.convert import convert
from refimpl.conventions import CONVENTIONS
from refimpl.conventions.torch import Torch
from refimpl.objective import Facts

LAM = 3.0
ROWS = 20


def evidence() -> Reply:
    source, facts = Torch(loss="half-mse", weight_decay=LAM), Facts(rows=ROWS, sd_y=1.0)
    rows = []
    for name, target in CONVENTIONS.items():
        for loss in target.losses:
            try:
                converted = convert(source, target, facts, loss)
            except InputError:  # a library that has no such penalty
                continue
            said = ", ".join(
                f"{key} = {value:g}" for key, value in converted.result.items() if isinstance(value, float)
            )
            rows.append((name, converted.target.formula, said))
    return Reply(
        text=f"""\
It depends on two factors that each library fixes in silence: whether its penalty is λ‖w‖² or λ/2·‖w‖², and whether
its loss is a sum or a mean, with ½ or without. A factor before both moves no minimum, so only their ratio counts.
torch's `weight_decay` is the λ of λ/2·‖w‖², but its MSELoss has no ½: for the λ of the textbook, which has one, it
takes 2λ. Keras' `l2` is the λ of λ‖w‖². The `alpha` of scikit-learn's Ridge stands beside a sum, that of its
ElasticNet beside a mean with ½. This is what each takes for ½·mean(r²) + λ/2·‖w‖² with λ = {LAM:g} on {ROWS} rows,
whose targets have the standard deviation 1; `parity convert` takes your own numbers:""",
        columns=("library", "its objective", "what it takes"),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="whose-lam",
    source=LIBRARIES,
    asked="Is it λ, 2λ or λ/2 in my framework (torch, scikit-learn, Keras, optax, glmnet …)?",
    why="the ½ of the penalty, the ½ of the loss and its sum or mean differ; only their ratio counts",
    commands=(
        "parity convert --list",
        f"parity convert --from torch --loss mse --weight-decay 3 --rows {ROWS} --to sklearn.Ridge --prove",
    ),
    evidence=evidence,
)
