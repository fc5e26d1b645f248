"""Schedules by the name that an experiment file uses, those that only Python can state, those that follow a metric."""

from typing import Any

from refimpl.schedules.chained import Chained
from refimpl.schedules.constant import Constant
from refimpl.schedules.constant_factor import ConstantFactor
from refimpl.schedules.cosine_annealing import CosineAnnealing
from refimpl.schedules.cosine_annealing_warm_restarts import CosineAnnealingWarmRestarts
from refimpl.schedules.cyclic import Cyclic
from refimpl.schedules.exponential import Exponential
from refimpl.schedules.lambda_ import Lambda
from refimpl.schedules.linear import Linear
from refimpl.schedules.multi_step import MultiStep
from refimpl.schedules.multiplicative import Multiplicative
from refimpl.schedules.one_cycle import OneCycle
from refimpl.schedules.polynomial import Polynomial
from refimpl.schedules.reduce_on_plateau import ReduceOnPlateau
from refimpl.schedules.sequential import Sequential
from refimpl.schedules.step import Step

SCHEDULES = {
    "constant": Constant,
    "step": Step,
    "multi_step": MultiStep,
    "exponential": Exponential,
    "constant_factor": ConstantFactor,
    "linear": Linear,
    "polynomial": Polynomial,
    "cosine_annealing": CosineAnnealing,
    "cosine_annealing_warm_restarts": CosineAnnealingWarmRestarts,
    "one_cycle": OneCycle,
    "cyclic": Cyclic,
}
PROGRAMMED: dict[str, Any] = {
    "lambda": Lambda,
    "multiplicative": Multiplicative,
    "sequential": Sequential,
    "chained": Chained,
}
"""Made of Python functions or of other schedules."""
REACTIVE = {"reduce_on_plateau": ReduceOnPlateau}
"""The schedules that are handed a metric."""

__all__ = [
    "PROGRAMMED",
    "REACTIVE",
    "SCHEDULES",
    "Chained",
    "Constant",
    "ConstantFactor",
    "CosineAnnealing",
    "CosineAnnealingWarmRestarts",
    "Cyclic",
    "Exponential",
    "Lambda",
    "Linear",
    "MultiStep",
    "Multiplicative",
    "OneCycle",
    "Polynomial",
    "ReduceOnPlateau",
    "Sequential",
    "Step",
]
