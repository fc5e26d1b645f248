"""Penalties by the name that an experiment file uses."""

from refimpl.penalties.elastic_net import ElasticNet
from refimpl.penalties.l1 import L1
from refimpl.penalties.l2 import L2
from refimpl.penalties.norm import Norm
from refimpl.penalties.subtracted_l1 import SubtractedL1

PENALTIES = {"l1": L1, "l2": L2, "elastic_net": ElasticNet, "norm": Norm, "subtracted_l1": SubtractedL1}

__all__ = ["L1", "L2", "PENALTIES", "ElasticNet", "Norm", "SubtractedL1"]
