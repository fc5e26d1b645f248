"""An experiment file, and what reading it says."""

from __future__ import annotations

import tomllib

from parity.experiment import Experiment
from parity.experiment_file import from_dict

XOR_TOML = """
epochs = 2
[data]
kind = "xor"
[loss]
factor = 1.0
reduction = "mean"
[optimizer]
kind = "sgd"
lr = 0.5
"""


def parsed(text: str) -> Experiment:
    return from_dict({"name": "mine", **tomllib.loads(text)})
