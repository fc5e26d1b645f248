"""Exact bridges between ideas by id: each a statement, its proof, and two computations that agree."""

from __future__ import annotations

from parity.features.bridges import (
    bias_decay,
    decoupled,
    dropout,
    early_stopping,
    l1,
    paths,
    priors,
    sgd_fixed_point,
)
from parity.features.bridges.bridge import Bridge

BRIDGES = {
    "early-stopping": Bridge(early_stopping.__doc__ or "", early_stopping.compute),
    "dropout": Bridge(dropout.__doc__ or "", dropout.compute),
    "priors": Bridge(priors.__doc__ or "", priors.compute),
    "bias-decay": Bridge(bias_decay.__doc__ or "", bias_decay.compute),
    "decoupled": Bridge(decoupled.__doc__ or "", decoupled.compute),
    "sgd-fixed-point": Bridge(sgd_fixed_point.__doc__ or "", sgd_fixed_point.compute),
    "l1": Bridge(l1.__doc__ or "", l1.compute),
    "paths": Bridge(paths.__doc__ or "", paths.compute),
}
