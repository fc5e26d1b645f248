"""The catalogue of named faults: each a change of the design of a correct run."""

from collections.abc import Mapping
from dataclasses import replace

from parity.explain.catalogue.data import DATA
from parity.explain.catalogue.gradients import GRADIENTS
from parity.explain.catalogue.losses import LOSSES
from parity.explain.catalogue.name import Kind, Name
from parity.explain.catalogue.optimizers import OPTIMIZER
from parity.explain.catalogue.penalties import PENALTIES
from parity.explain.catalogue.precision import PRECISION
from parity.explain.catalogue.schedules import SCHEDULES

GROUPS: Mapping[Kind, Mapping[str, Name]] = {
    "loss": LOSSES,
    "penalty": PENALTIES,
    "optimizer": OPTIMIZER,
    "gradient": GRADIENTS,
    "data": DATA,
    "schedule": SCHEDULES,
    "precision": PRECISION,
}
EVERY = {id: replace(name, id=id, kind=kind) for kind, group in GROUPS.items() for id, name in group.items()}
NAMES: Mapping[str, Name] = {id: name for id, name in EVERY.items() if name.kind != "precision"}
"""Faults that change what is computed."""
NARROWER: Mapping[str, Name] = {id: name for id, name in EVERY.items() if name.kind == "precision"}
"""Faults that change how exactly it is computed: the same to the last digit but for roundings that may fall
otherwise."""

__all__ = ["NAMES", "NARROWER", "Name"]
