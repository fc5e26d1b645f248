"""How is L1 done, given that optimizers only offer L2?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from parity.features.answers.answer import THREAD, Answer, Reply
from parity.features.answers.runs import entry, final, run
from refimpl.batches import Batches
from refimpl.exact.lasso import lasso
from refimpl.losses import SquaredError
from refimpl.optimizers import SGD, ProximalSGD
from refimpl.penalties import L1

LAM, LR, EPOCHS = 0.01, 0.02, 400


def evidence() -> Reply:
    base = entry("s0-scratch-lam0", penalties=(L1(strength=LAM),), batches=Batches(size=0), epochs=EPOCHS)
    data, loss = base.draw().dataset, base.loss
    assert isinstance(loss, SquaredError)
    exact = lasso(data.X, data.y, loss, LAM).params["weight"][0, 0]
    rows = []
    optimizers: tuple[tuple[str, Any], ...] = (("subgradient", SGD(lr=LR)), ("proximal", ProximalSGD(lr=LR)))
    for label, optimizer in optimizers:
        recorded = run(replace(base, optimizer=optimizer))
        w = recorded.params["weight"][-1][0, 0]
        objective = final(recorded.train_loss) + LAM * float(np.abs(w).sum())
        rows.append((label, int(np.sum(w == 0)), int(np.sum(np.abs(w) <= LR * LAM)), objective))
    best = entry("s0-scratch-lam0").model.forward(lasso(data.X, data.y, loss, LAM).params, data.X) - data.y
    rows.append(
        (
            "exact",
            int(np.sum(exact == 0)),
            int(np.sum(exact == 0)),
            float(np.mean(best**2) / 2 + LAM * np.abs(exact).sum()),
        )
    )
    return Reply(
        text=f"""\
Add `lam * w.abs().sum()` to the loss: autograd takes λ·sign(w), with 0 at 0, and any optimizer goes on from
there. That finds small weights but no zeros, because each step moves a weight by ηλ past 0 and back. To have
zeros, take the loss by its gradient and the penalty by its proximal operator after `optimizer.step()`:
`w.copy_(w.sign() * (w.abs() - lr * lam).clamp(min=0))` (here `proximal_sgd`). Full batches, λ = {LAM:g}, η =
{LR:g}, {EPOCHS} steps, {len(exact)} weights:""",
        columns=("method", "weights that are 0", "weights up to ηλ", "objective"),
        rows=tuple(rows),
    )


ANSWER = Answer(
    id="l1",
    source=THREAD,
    asked="How is L1 done, given that optimizers only offer L2?",
    why="by its subgradient in the loss, which leaves no zeros, or by the proximal step, which does",
    experiments=("s0-scratch-lam0",),
    commands=("parity bridge l1", "parity bridge paths"),
    evidence=evidence,
)
