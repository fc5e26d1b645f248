"""Losses by the name that an experiment file uses."""

from refimpl.losses.cross_entropy import CrossEntropy
from refimpl.losses.squared_error import SquaredError

LOSSES = {"squared_error": SquaredError, "cross_entropy": CrossEntropy}

__all__ = ["LOSSES", "CrossEntropy", "SquaredError"]
