"""Is weight decay any norm penalty, or L2 only?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from parity.backends.reference import run_reference
from parity.features.answers.answer import THREAD, Answer, Reply
from parity.features.answers.runs import entry
from refimpl.optimizers import SGD, SGDW, Adam, AdamW
from refimpl.training import Group

LAM = 3.0


def evidence() -> Reply:
    base = entry("s0-scratch-lam3")
    free = replace(base, penalties=())
    pairs: dict[str, tuple[Any, Any]] = {
        "SGD": (SGD(lr=0.01), SGDW(lr=0.01, weight_decay=LAM)),
        "SGD, momentum 0.9": (SGD(lr=0.01, momentum=0.9), SGDW(lr=0.01, momentum=0.9, weight_decay=LAM)),
        "Adam": (Adam(lr=0.01), AdamW(lr=0.01, weight_decay=LAM)),
    }
    rows = []
    for label, (plain, decoupled) in pairs.items():
        inside = run_reference(replace(base, optimizer=plain), "loss").params["weight"]
        coupled = run_reference(replace(base, optimizer=plain), "weight_decay").params["weight"]
        of_bias = (Group(parameters=("bias",), optimizer=replace(decoupled, weight_decay=0.0)),)
        beside = run_reference(replace(free, optimizer=decoupled, groups=of_bias), "loss").params["weight"]
        size = np.linalg.norm(inside[-1])
        rows.append(
            (
                label,
                round(float(np.linalg.norm(coupled[-1] - inside[-1]) / size), 12),
                round(float(np.linalg.norm(beside[-1] - inside[-1]) / size), 12),
            )
        )
    return Reply(
        text="""\
L2 only. `weight_decay` adds λw to the gradient (coupled) or takes ηλw off the weights beside the step
(decoupled). A penalty whose gradient is λw is λ/2·‖w‖² and, but for a constant, no other: L1 has λ·sign(w), the
norm λ·w/‖w‖. For plain SGD both are the penalty: w − η(g + λw) = (1 − ηλ)w − ηg. With momentum they part,
because a coupled decay goes into the buffer and a decoupled one does not; with Adam, because the coupled decay
is divided by √v. In those cases coupled decay is still the gradient of the L2 penalty, whatever the optimizer
makes of it; decoupled decay is the gradient of nothing simple. Distance of the final weights to those of the
penalty in the loss, ÷ their norm, to 12 digits:""",
        columns=("optimizer", "coupled weight_decay", "decoupled"),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="weight-decay",
    source=THREAD,
    asked="Is weight decay any norm penalty or only L2, and when does it differ from an L2 penalty?",
    why="only the L2 penalty has the gradient λw; decoupled decay is another thing under momentum and Adam",
    experiments=("s0-scratch-lam3",),
    commands=("parity bridge decoupled", "parity known adam-decay-is-coupled"),
    evidence=evidence,
)
