"""Models by the name that an experiment file uses."""

from refimpl.models.linear import Linear

MODELS = {"linear": Linear}

__all__ = ["MODELS", "Linear"]
