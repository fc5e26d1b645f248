"""An objective, the data that it is of, and a conversion as words of the command line."""

from __future__ import annotations

from parity.features.convert.prove.proof import PENALTIES
from refimpl.objective import LOSSES, Facts, Objective

FACTS = Facts(rows=20, sd_y=2.0)
COMMAND = "convert --from torch --loss mse --weight-decay 3 --rows 20 --to sklearn.Ridge".split()  # noqa: SIM905


def objective(penalty: str) -> Objective:
    l1, l2 = PENALTIES[penalty]
    return Objective(loss=LOSSES["mse"], l1=l1, l2=l2)
