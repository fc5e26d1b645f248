"""Why a run differs from what was asked: its links are measured, named where they have a name, and the whole is proven.

A cause is named only if the asked experiment, with it put in, brings every recorded number within its bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from parity.explain.cause import Cause
from parity.explain.measure.chain import Chain, chain_of
from parity.explain.names import between, catalogue, elsewhere, narrow, order, rows, scale, update
from parity.explain.names.option import PARTS, Option, covers
from parity.explain.observed import Observed
from parity.step.design import Design
from parity.step.engine import Engine

PROOFS = 24
"""Sets of causes that are held to their bound at most."""


GRADIENTS = 4
"""Explanations of the gradient, the likeliest first, to which those of the update are added."""
ALIKE = 3
"""Further sets that are tried after a name that fits everything: others may fit as well."""


@dataclass(frozen=True)
class Explanation:
    """Causes that together bring the run inside the tolerance. ``share``: the largest error ÷ allowance of what was
    recorded of the weights; ``losses``: of the recorded loss, by what it is taken for."""

    causes: tuple[Cause, ...]
    design: Design
    share: float
    losses: dict[str, float] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(cause.id for cause in self.causes)

    @property
    def named(self) -> bool:
        return all(cause.named for cause in self.causes)

    @property
    def fits_loss(self) -> bool:
        return not self.losses or min(self.losses.values()) <= 1


def explain(design: Design, engine: Engine, observed: Observed | None = None) -> list[Explanation]:
    """The proven explanations of a record, the likeliest first; empty where there are none."""
    proof = Proof(design, engine)
    for causes in proposals(design, engine, observed):
        proof.hold(causes)
        if proof.enough:
            break
    return proof.ranked()


class Proof:
    """Sets of causes held to the record, each once."""

    def __init__(self, design: Design, engine: Engine) -> None:
        self.design, self.engine = design, engine
        self.found: list[Explanation] = []
        self.tried: set[tuple[str, ...]] = set()
        self.left: int | None = None

    def hold(self, causes: Sequence[Cause]) -> None:
        key = tuple(sorted(cause.text for cause in causes))
        if key in self.tried or not causes:
            return
        self.tried.add(key)
        changed = together(self.design, causes)
        if changed is None or not changed.consistent:
            return
        share = self.engine.share(changed, enough=1.0)
        if share <= 1:
            losses = self.engine.loss_shares(changed)
            self.found.append(Explanation(tuple(causes), changed, share, losses))

    @property
    def enough(self) -> bool:
        """Whether all tries are used, or those that a name which fits everything leaves to what looks alike."""
        fitting = any(one.named and one.fits_loss for one in self.found)
        if fitting and self.left is None:
            self.left = len(self.tried) + ALIKE
        return len(self.tried) >= (PROOFS if self.left is None else self.left)

    def ranked(self) -> list[Explanation]:
        def rank(one: Explanation) -> tuple[Any, ...]:
            numbers = sum(cause.numbers for cause in one.causes)
            return not one.named, len(one.causes), not one.fits_loss, numbers

        return sorted(self.found, key=rank)


def together(design: Design, causes: Sequence[Cause]) -> Design | None:
    """Correct code with these causes, one after the other; None where they make no sense."""
    changed: Design | None = design
    for cause in causes:
        changed = cause.to(changed) if changed is not None else None
    return changed


def proposals(design: Design, engine: Engine, observed: Observed | None) -> Iterator[tuple[Cause, ...]]:
    """Sets of causes that what was measured suggests, the likeliest first."""
    yield from (causes for causes in _beginning(design, engine, observed))
    near = [cause for cause in narrow.causes(design, engine)]
    yield from ((cause,) for cause in near)


def _beginning(design: Design, engine: Engine, observed: Observed | None) -> Iterator[tuple[Cause, ...]]:
    """From the order of the batches on."""
    for begin in order.options(design, engine):
        base = together(design, begin)
        if base is None or base.steps != engine.recording.steps:
            continue
        for written in between.causes(chain_of(base, engine, observed), base):
            yield (*begin, written)
            changed = written.to(base)
            assert changed is not None
            begin, base = (*begin, written), changed
        chain = chain_of(base, engine, observed)
        of_gradient = list(gradient(chain))
        yield from ((*begin, *causes) for causes in of_gradient)
        for causes in of_gradient[:GRADIENTS]:
            changed = together(base, causes)
            if changed is not None and changed.consistent:
                yield from ((*begin, *causes, *more) for more in update.options(chain, changed))


def gradient(chain: Chain) -> Iterator[tuple[Cause, ...]]:
    """What explains the gradient, from one cause to several; nothing where it is as asked, or not known."""
    if chain.given is None or (chain.as_asked("weight") and chain.as_asked("total_bias")):
        yield ()
        return
    if chain.given.source == "weights":
        yield ()  # the update may be what differs
    every = list(catalogue.options(chain))
    every += [Option(cause, frozenset(PARTS)) for file in (scale, elsewhere) for cause in file.causes(chain)]
    whole = [option for option in every if option.parts == frozenset(PARTS)]
    for option in sorted(whole, key=lambda one: (not one.cause.named, one.cause.numbers)):
        yield (option.cause,)
    if chain.rows is not None and chain.rows.explained:
        deviating = frozenset(part for part in PARTS if not chain.as_asked(part))
        every += list(rows.options(chain, deviating))
        yield from covers(every, deviating)


def classes_of(explanations: Sequence[Explanation]) -> tuple[tuple[Explanation, ...], ...]:
    """Explanations that the record cannot tell apart stand in one class: as many causes, fitting the losses alike."""
    groups: dict[tuple[Any, ...], list[Explanation]] = {}
    for one in explanations:
        groups.setdefault((one.named, len(one.causes), one.fits_loss), []).append(one)
    return tuple(tuple(group) for group in groups.values())
