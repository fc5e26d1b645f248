"""The catalogue of named faults: each a change of the design of a correct run."""

from collections.abc import Mapping

from parity.explain.hypotheses.data import DATA
from parity.explain.hypotheses.gradients import GRADIENTS
from parity.explain.hypotheses.hypothesis import Hypothesis
from parity.explain.hypotheses.losses import LOSSES
from parity.explain.hypotheses.optimizers import OPTIMIZER
from parity.explain.hypotheses.penalties import PENALTIES
from parity.explain.hypotheses.precision import PRECISION
from parity.explain.hypotheses.schedules import SCHEDULES

HYPOTHESES: Mapping[str, Hypothesis] = {
    one.id: one for group in (LOSSES, PENALTIES, OPTIMIZER, GRADIENTS, DATA, SCHEDULES) for one in group
}
"""Faults that change what is computed."""
NARROWER: Mapping[str, Hypothesis] = {one.id: one for one in PRECISION}
"""Faults that change how exactly it is computed: the same to the last digit but for roundings that may fall
otherwise."""

__all__ = ["HYPOTHESES", "NARROWER", "Hypothesis"]
