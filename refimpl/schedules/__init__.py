"""Schedules by the name that an experiment file uses."""

from refimpl.schedules.constant import Constant
from refimpl.schedules.exponential import Exponential
from refimpl.schedules.step import Step

SCHEDULES = {"constant": Constant, "step": Step, "exponential": Exponential}

__all__ = ["SCHEDULES", "Constant", "Exponential", "Step"]
