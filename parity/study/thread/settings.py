"""The reported table (SOURCES: S4), and the settings that are searched, since none were given.

The data are those of the textbook with p = 200. A step of SGD on c·mean or c·sum of the squares of a batch of B rows,
with the penalty k·λ/2·‖w‖², is, with s = 1 for the mean and s = B for the sum::

    w ← w − η(cs·2/B·Σ rᵢxᵢ + kλw) = w − η′(2/B·Σ rᵢxᵢ + κλw)          η′ = ηcs,  κ = k/(cs)

so all these objectives are one family with two numbers, and those with the same η′ and κ compute the same weights: no
report can tell them apart. Reported is ``c′·mean(r²)`` over all rows, in training perhaps with the penalty, c′ times
``κλ/2·‖w‖²``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from refimpl.initial_weights import Init, Normal, TorchDefault

STRENGTHS = np.arange(11.0)
TRAIN = np.array([2.36e-13, 3.56e-4, 1.14e-3, 2.14e-3, 3.24e-3, 4.37e-3, 5.60e-3, 6.34e-3, 7.64e-3, 8.75e-3, 9.77e-3])
TEST = np.array([1.914, 0.0354, 0.0181, 0.0171, 0.0175, 0.0176, 0.0176, 0.0173, 0.0180, 0.0178, 0.0177])
FEATURES, TEST_ROWS = 200, 100

INITS: dict[str, Init] = {
    "N(0, 1)": Normal(std=1.0),
    "N(0, 0.1²)": Normal(std=0.1),  # as wide as Xavier's, √(2/(p + 1))
    "U(±1/√p)": TorchDefault(),
    "N(0, 0.01²)": Normal(std=0.01),
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """``rate`` is η′, ``ratio`` κ, ``factor`` c′; ``inside``: the penalty is in the reported training loss."""

    rows: int
    batch: int
    init: str
    rate: float
    ratio: float
    epochs: int
    factor: float
    inside: bool


@dataclass(frozen=True, kw_only=True)
class Space:
    """Every combination is run in ``scouts`` seeds, then the ``kept`` nearest in ``seeds`` other seeds.

    ``layouts``: training rows, and rows of a batch.
    """

    layouts: tuple[tuple[int, int], ...] = ((20, 5), (20, 10), (20, 20), (100, 20))
    rates: tuple[float, ...] = (0.0015, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03)
    epochs: tuple[int, ...] = (10, 20, 30, 50, 100)
    scouts: int = 3
    kept: int = 120
    seeds: int = 20

    def settings(self, rows: int, batch: int) -> list[Setting]:
        """Those of one layout; κ = 1, 2, 4 are of means, the others of sums."""
        ratios = (1.0, 2.0, 4.0, 1 / batch, 2 / batch, 4 / batch)
        return [
            Setting(
                rows=rows,
                batch=batch,
                init=init,
                rate=rate,
                ratio=ratio,
                epochs=epochs,
                factor=factor,
                inside=inside,
            )
            for init, rate, ratio in product(INITS, self.rates, ratios)
            for epochs, factor, inside in product(self.epochs, (0.5, 1.0), (False, True))
        ]


QUICK = Space(layouts=((20, 5),), rates=(0.003, 0.01), epochs=(20, 100), scouts=1, kept=8, seeds=8)
