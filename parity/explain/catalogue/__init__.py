"""The catalogue of named faults: each a change of the design of a correct run."""

from collections.abc import Mapping

from parity.explain.catalogue.data import DATA
from parity.explain.catalogue.gradients import GRADIENTS
from parity.explain.catalogue.losses import LOSSES
from parity.explain.catalogue.name import Name
from parity.explain.catalogue.optimizers import OPTIMIZER
from parity.explain.catalogue.penalties import PENALTIES
from parity.explain.catalogue.precision import PRECISION
from parity.explain.catalogue.schedules import SCHEDULES

NAMES: Mapping[str, Name] = {
    one.id: one for group in (LOSSES, PENALTIES, OPTIMIZER, GRADIENTS, DATA, SCHEDULES) for one in group
}
"""Faults that change what is computed."""
NARROWER: Mapping[str, Name] = {one.id: one for one in PRECISION}
"""Faults that change how exactly it is computed: the same to the last digit but for roundings that may fall
otherwise."""

__all__ = ["NAMES", "NARROWER", "Name"]
