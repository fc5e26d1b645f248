"""The cases of every layer and loss, by the name in the registry and by label."""

from __future__ import annotations

import numpy as np

from refimpl.arithmetic.formats import FORMATS
from tests.refimpl.layers.case import Case, changed
from tests.refimpl.layers.layer_cases import LAYER_CASES
from tests.refimpl.layers.loss_cases import LOSS_CASES

CASES = LAYER_CASES | LOSS_CASES
MADE = {label: make for cases in CASES.values() for label, make in cases.items()}


def draw(label: str, seed: int = 0, dtype: str = "float64") -> Case:
    """A case whose numbers are of the format ``dtype``."""
    case = MADE[label](np.random.default_rng(seed))
    return changed(case, lambda x: FORMATS[dtype].round(x).astype(float))
