"""Models by the name that an experiment file uses."""

from refimpl.models.linear import Linear
from refimpl.models.mlp import MLP

MODELS = {"linear": Linear, "mlp": MLP}

__all__ = ["MLP", "MODELS", "Linear"]
