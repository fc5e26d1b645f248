"""Wrappers by name: each has an optimizer inside and stands wherever an optimizer stands."""

from refimpl.optimizers.wrappers.cautious import Cautious
from refimpl.optimizers.wrappers.lookahead import Lookahead
from refimpl.optimizers.wrappers.sam import SAM

WRAPPERS = {
    "lookahead": Lookahead,
    "cautious": Cautious,
    "sam": SAM,
}

__all__ = ["SAM", "WRAPPERS", "Cautious", "Lookahead"]
