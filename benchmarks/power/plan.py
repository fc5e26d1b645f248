"""What is measured: correct code, every mutant, a sample of the pairs, and the smallest changes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from benchmarks.power.case import Trial
from benchmarks.power.causes import NAMELESS
from benchmarks.power.mutants import MUTANTS, pairs
from parity.gallery import names

DTYPES = ("float64", "float32", "bfloat16")
RUNS = 10
"""Correct runs of each experiment in each dtype."""
PAIRS = 150
"""Pairs that are drawn; each in every dtype that shows both."""
EVERY, SOME = 12, 2
"""``--quick`` has one of so many mutants, and so many pairs."""


def plan(dtypes: Sequence[str], *, seed: int = 0, quick: bool = False) -> list[Trial]:
    """All cases, or with ``quick`` a sample of each kind. Another seed: other data, weights, batches and pairs."""
    trials = [*_correct(dtypes, seed, quick), *_singles(dtypes, seed), *_pairs(dtypes, seed), *_smallest(dtypes, seed)]
    if not quick:
        return trials
    some = [case for case in trials if case.kind == "correct"]
    mutants = list(MUTANTS)[::EVERY]
    for i, mutant in enumerate(mutants):
        own = [case for case in trials if case.kind == "single" and case.faults == (mutant,)]
        some.append(own[i % len(own)])
    some += [case for case in trials if case.kind == "pair"][:SOME]
    return some + [case for case in trials if case.kind == "smallest" and case.experiment == "check-sgd"]


EXPERIMENTS = tuple(name for name in names() if name.startswith("check-"))


def _correct(dtypes: Sequence[str], seed: int, quick: bool) -> Iterator[Trial]:
    """With ``quick`` one run of each experiment, in one dtype after the other."""
    for i, experiment in enumerate(EXPERIMENTS):
        if quick:
            yield Trial(kind="correct", experiment=experiment, dtype=dtypes[i % len(dtypes)], seed=seed)
            continue
        for dtype in dtypes:
            for run in range(RUNS):
                yield Trial(kind="correct", experiment=experiment, dtype=dtype, seed=RUNS * seed + run)


def _singles(dtypes: Sequence[str], seed: int) -> Iterator[Trial]:
    """Every mutant on every experiment that shows it; in bfloat16 all, whether it shows them or not."""
    for mutant in MUTANTS.values():
        for dtype in dtypes:
            if dtype in mutant.dtypes or dtype == "bfloat16":
                for experiment in mutant.experiments:
                    yield Trial(kind="single", faults=(mutant.id,), experiment=experiment, dtype=dtype, seed=seed)


def _pairs(dtypes: Sequence[str], seed: int) -> Iterator[Trial]:
    """A sample of those that can be named, each on one of the experiments that show both."""
    drawn = random.Random(seed)
    for pair in drawn.sample([pair for pair in pairs() if not set(pair) & set(NAMELESS)], PAIRS):
        first, second = (MUTANTS[name] for name in pair)
        experiment = drawn.choice([name for name in first.experiments if name in second.experiments])
        for dtype in dtypes:
            if dtype in first.dtypes and dtype in second.dtypes:
                yield Trial(kind="pair", faults=pair, experiment=experiment, dtype=dtype, seed=seed)


def _smallest(dtypes: Sequence[str], seed: int) -> Iterator[Trial]:
    for dtype in dtypes:
        for experiment in EXPERIMENTS:
            yield Trial(kind="smallest", experiment=experiment, dtype=dtype, seed=seed)
