"""A cause as one of several that may explain a part of the measured gradient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from parity.explain.cause import Cause
from parity.explain.measure.chain import Chain
from parity.explain.names import bias, losses, mixup, penalty, targets, weights

PARTS = ("data", "penalty", "bias")
"""The parts of a gradient: that of the rows, what is added to the weight's part, what is added to the bias's part."""


@dataclass(frozen=True)
class Option:
    """``cause`` explains ``parts`` of the gradient: there it has what was measured, elsewhere what was asked."""

    cause: Cause
    parts: frozenset[str]


def covers(options: Sequence[Option], deviating: frozenset[str]) -> Iterator[tuple[Cause, ...]]:
    """Sets of causes that together explain all parts that deviate, each part once; few causes and numbers first."""
    inside = [option for option in options if option.parts <= deviating]
    made: list[tuple[Cause, ...]] = []
    for size in range(1, len(deviating) + 1):
        for some in combinations(inside, size):
            parts = [part for option in some for part in option.parts]
            if len(parts) == len(set(parts)) and frozenset(parts) == deviating:
                made.append(tuple(option.cause for option in some))
    made.sort(key=lambda causes: (sum(not c.named for c in causes), len(causes), sum(c.numbers for c in causes)))
    yield from made


def held(chain: Chain, causes: Iterable[Cause]) -> Iterator[Cause]:
    """Those of some causes that give the measured gradient."""
    yield from (cause for cause in causes if holds(chain, cause))


def holds(chain: Chain, cause: Cause) -> bool:
    """Whether the gradient of the asked design with a cause in it is the measured one."""
    design = cause.to(chain.design)
    parts = chain.parts(design) if design is not None and design.consistent else None
    return parts is not None and chain.same("weight", parts) and chain.same("total_bias", parts)


FILES = {"data": (losses, targets, mixup, weights), "penalty": (penalty,), "bias": (bias,)}


def of_parts(chain: Chain, deviating: frozenset[str]) -> Iterator[Option]:
    """Causes of the parts that deviate, named ones before descriptions."""
    for part, files in FILES.items():
        for file in files if part in deviating else ():
            for cause in file.causes(chain):
                yield Option(cause, frozenset({part}))
