"""Optimizers by the name that an experiment file uses."""

from refimpl.optimizers.proximal_sgd import ProximalSGD
from refimpl.optimizers.sgd import SGD
from refimpl.optimizers.sgdw import SGDW

OPTIMIZERS = {"sgd": SGD, "sgdw": SGDW, "proximal_sgd": ProximalSGD}

__all__ = ["OPTIMIZERS", "SGD", "SGDW", "ProximalSGD"]
