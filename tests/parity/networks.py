"""Small networks and the data that they are trained on."""

from __future__ import annotations

from typing import Any

from parity.experiment import Experiment
from refimpl.batches import Batches
from refimpl.datasets import Classes
from refimpl.initial_weights import TorchDefault
from refimpl.losses import CrossEntropy
from refimpl.models import MLP
from refimpl.optimizers import Adam
from refimpl.penalties import L2

NAMES = ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")
DATA = Classes(train_rows=24, validation_rows=8, features=30, classes=4)
DROPOUT = {"model": MLP(hidden=6, outputs=4, dropout=0.4)}


def network(**changes: Any) -> Experiment:
    """30 features, 6 hidden units, 4 classes; 24 rows in batches of 7, 7, 7 and 3; λ = 0.02 on all parameters."""
    parts: dict[str, Any] = {
        "name": "network",
        "data": DATA,
        "model": MLP(hidden=6, outputs=4),
        "loss": CrossEntropy(reduction="mean"),
        "penalties": (L2(strength=0.02, parameters=NAMES),),
        "optimizer": Adam(lr=0.001),
        "init": dict.fromkeys(NAMES, TorchDefault()),
        "batches": Batches(size=7),
        "epochs": 2,
    }
    return Experiment(**{**parts, **changes})
