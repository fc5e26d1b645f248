"""Optimizers by the name that an experiment file uses."""

from refimpl.optimizers.adam import Adam
from refimpl.optimizers.proximal_sgd import ProximalSGD
from refimpl.optimizers.sgd import SGD
from refimpl.optimizers.sgdw import SGDW

OPTIMIZERS = {"sgd": SGD, "sgdw": SGDW, "proximal_sgd": ProximalSGD, "adam": Adam}

__all__ = ["OPTIMIZERS", "SGD", "SGDW", "Adam", "ProximalSGD"]
