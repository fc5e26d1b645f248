"""Losses by the name that an experiment file uses."""

from refimpl.losses.squared_error import SquaredError

LOSSES = {"squared_error": SquaredError}

__all__ = ["LOSSES", "SquaredError"]
