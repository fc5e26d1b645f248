"""What the rows, the penalty and the bias were given, where the catalogue has no name for it: one file a part."""

from __future__ import annotations

from collections.abc import Iterator

from parity.explain.measure.chain import Chain
from parity.explain.names import bias, losses, mixup, penalty, targets, weights
from parity.explain.names.option import Option

FILES = {"data": (losses, targets, mixup, weights), "penalty": (penalty,), "bias": (bias,)}


def options(chain: Chain, deviating: frozenset[str]) -> Iterator[Option]:
    """Causes of the parts that deviate, named ones before descriptions."""
    for part, files in FILES.items():
        for file in files if part in deviating else ():
            for cause in file.causes(chain):
                yield Option(cause, frozenset({part}))
