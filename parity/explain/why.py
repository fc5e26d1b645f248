"""Why a run differs from what was asked: its links are measured, named where they have a name, and the whole is proven.

A cause is named only if the asked experiment, with it put in, brings every recorded number within its bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import tee
from typing import Any

import numpy as np

from parity.explain.cause import Cause
from parity.explain.measure.chain import Chain, chain_of, with_design
from parity.explain.names import (
    batches,
    between,
    calls,
    composed,
    dropout,
    known,
    leftover,
    narrow,
    pairing,
    penalty,
    points,
    scale,
    seen,
    state,
    trainers,
    update,
)
from parity.explain.names.option import PARTS, Option, covers, held, of_parts
from parity.explain.observed import Observed
from parity.step.design import Design
from parity.step.engine import Engine

PROOFS = 24
"""Sets of causes that are held to their bound at most, of each kind."""


GRADIENTS = 4
"""Explanations of the gradient, the likeliest first, to which those of the update are added."""
ALIKE = 12
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


def explain(
    design: Design, engine: Engine, observed: Observed | None = None, resumed_at: Sequence[int] = ()
) -> list[Explanation]:
    """The proven explanations of a record, the likeliest first; empty where there are none.

    ``resumed_at``: the steps before which the training was to be saved and loaded.
    """
    proof = Prover(design, engine)
    proof.hold_all((cause,) for cause in narrow.steps(engine))
    if proof.named:
        return proof.ranked()
    asked = design.form
    if any(part is not None for part in (asked.accumulation, asked.ranks, asked.clip)) or asked.freeze:
        for group in trainers.groups(chain_of(design, engine, observed), design):
            proof.hold_all((cause,) for cause in group)
        if not proof.named and (asked.clip is not None or asked.freeze) and design.steps == engine.recording.steps:
            proof.hold_all((cause,) for cause in trainers.catalogued(design, engine))
        if proof.named or asked.clip is not None or asked.freeze:
            return proof.ranked()  # what is measured below takes gradients as the rows make them
    for begin in batches.options(design, engine, observed):
        base = together(design, begin)
        if base is not None and base.steps == engine.recording.steps:
            _explain(proof, begin, base, observed)
    if not proof.named:
        for cause in (*narrow.weights(engine), *state.lost_at(resumed_at, design)):
            changed = cause.to(design)
            if changed is not None and changed.steps == engine.recording.steps:
                proof.hold((cause,))
                _explain(proof, (cause,), changed, observed)
        proof.hold_all((cause,) for cause in narrow.causes(design, engine))
    return proof.ranked()


def _explain(
    proof: Prover, begin: tuple[Cause, ...], base: Design, observed: Observed | None, *, late: bool = False
) -> None:
    """The gradient alone; then, if that does not do, what is made of it, too; then what is written afterwards."""
    chain = chain_of(base, proof.engine, observed)
    proof.hold_all((*begin, one) for one in between.left_behind(chain, base))
    if proof.named:
        return
    for written in between.causes(chain, base):
        proof.hold((*begin, written))
        changed = written.to(base)
        assert changed is not None
        begin, base = (*begin, written), changed
        chain = chain_of(base, proof.engine, observed)
    files = (calls.split(chain, base), penalty.proximal(base), points.earlier(chain, base), between.unseen(chain, base))
    proof.hold_all((*begin, cause) for file in files for cause in file)
    for elsewhere in points.recorded(chain, base):
        proof.hold((*begin, elsewhere))
        changed = elsewhere.to(base)
        if changed is not None and not proof.named:
            _explain(proof, (*begin, elsewhere), changed, observed, late=True)
    if proof.named:
        return
    other_rows = base.steps != proof.design.steps and begin[0].id != "stopped-early"  # then these are not said again
    of_gradient = [
        causes for causes in gradient(chain) if not other_rows or all(one.id != "batches-other-order" for one in causes)
    ]
    proof.hold_all((*begin, *causes) for causes in of_gradient)
    single = any(one.named for one in proof.found)  # no two causes are likelier
    pairs = [] if single or late or other_rows else list(composed.causes(chain))
    proof.hold_all((*begin, *causes) for causes in pairs)
    of_gradient = [*of_gradient[:GRADIENTS], *pairs[:GRADIENTS]]
    recorded = chain.given is not None and chain.given.source != "weights"
    if proof.named or (recorded and proof.found):
        return  # the update made of the recorded gradient is as asked
    _hold_updates(proof, chain, begin, of_gradient, (_state, update.options))
    for written in between.late(chain, base) if not (proof.named or late) else ():
        proof.hold((*begin, written))
        changed = written.to(base)
        if changed is not None and not proof.named:
            _explain(proof, (*begin, written), changed, observed, late=True)
    _hold_updates(proof, chain, begin, of_gradient, (update.rules,))  # they cost more, and only describe
    backward = chain.given is not None and chain.given.source == "backward"
    if not proof.found and backward:  # what the last backward pass left may not be what was used
        _explain(proof, begin, base, None, late=late)


def _hold_updates(
    proof: Prover,
    chain: Chain,
    begin: tuple[Cause, ...],
    of_gradient: Sequence[tuple[Cause, ...]],
    ways: Sequence[Any],
) -> None:
    """Causes of the update beside each of those of the gradient, until a name is known."""
    recorded = chain.given is not None and chain.given.source != "weights"
    for way in ways:
        same: Iterator[tuple[Cause, ...]] = way(chain, chain.design)
        for causes in of_gradient if not proof.named else ():
            changed = together(chain.design, causes)
            if changed is not None and changed.consistent:
                same, more = tee(same) if recorded else (same, way(chain, changed))
                proof.hold_all((*begin, *causes, *each) for each in more)


def _state(chain: Chain, changed: Design) -> Iterator[tuple[Cause, ...]]:
    """A state that was lost, as a set of one cause."""
    yield from ((cause,) for cause in state.causes(chain, changed))


class Prover:
    """Sets of causes held to the record, each once."""

    def __init__(self, design: Design, engine: Engine) -> None:
        self.design, self.engine = design, engine
        self.found: list[Explanation] = []
        self.tried: set[tuple[str, ...]] = set()

    def hold(self, causes: Sequence[Cause]) -> None:
        key = tuple(sorted(f"{cause.text} {cause.variant}" for cause in causes))
        if key in self.tried or not causes:
            return
        self.tried.add(key)
        changed = together(self.design, causes)
        if changed is None or not changed.consistent:
            return
        share = self.engine.share(changed, enough=1.0)
        if share > 1:
            return
        for i in range(len(causes)) if len(causes) > 1 else ():  # a cause that is not needed is none
            fewer = (*causes[:i], *causes[i + 1 :])
            self.hold(fewer)
            if any(each.causes == fewer for each in self.found):
                return
        if changed.begins or changed.ends or self._differs(causes, changed):
            losses = self.engine.loss_shares(changed)
            self.found.append(Explanation(tuple(causes), changed, share, losses))

    def _differs(self, causes: Sequence[Cause], changed: Design) -> bool:
        """Whether these causes give other weights than correct code may have; not merely a wider bound on the same."""
        if changed.steps != self.design.steps or any(cause.id.startswith("precision") for cause in causes):
            return True
        pairs = zip(self.engine.expected(changed), self.engine.expected(self.design), strict=True)
        return any((np.abs(mine.value - its.value) > its.allowance).any() for mine, its in pairs)

    def hold_all(self, proposals: Iterable[tuple[Cause, ...]]) -> None:
        """Each of them, until so many were tried, or some more after a name that fits everything."""
        left = PROOFS
        for causes in proposals:
            before = len(self.tried)
            self.hold(causes)
            left -= len(self.tried) - before
            if self.named:
                left = min(left, ALIKE)
            if left <= 0:
                return

    @property
    def named(self) -> bool:
        """Whether a name that fits the losses, too, was proven."""
        return any(one.named and one.fits_loss for one in self.found)

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


def gradient(chain: Chain, *, nested: bool = False) -> Iterator[tuple[Cause, ...]]:
    """What explains the gradient, from one cause to several; nothing where it is as asked, or not known."""
    if nested and (chain.rows is None or not chain.rows.explained):
        return  # these rows do not do, either
    if chain.given is None or (chain.as_asked("weight") and chain.as_asked("total_bias")):
        yield ()
        if chain.given is None or (chain.as_asked("weight", 1.0) and chain.as_asked("total_bias", 1.0)):
            return
    if chain.given.source != "optimizer":
        yield ()  # the update may be what differs, or not be made of these gradients
    every = list(known.options(chain))
    whole = (points.causes, leftover.causes, leftover.of_other_passes, narrow.rounded, seen.causes, batches.causes)
    of_places = (pairing.causes, scale.elementwise, dropout.causes, penalty.elementwise)
    proposed = (cause for causes in (*whole, *of_places) for cause in causes(chain))
    as_measured = (*scale.causes(chain), *held(chain, proposed))  # a rate scales the step and not the gradient
    every += [Option(cause, frozenset(PARTS)) for cause in as_measured]
    of_all = [option for option in every if option.parts == frozenset(PARTS)]
    for option in sorted(of_all, key=lambda one: (not one.cause.named, one.cause.numbers)):
        yield (option.cause,)
    if chain.rows is None or not chain.rows.explained:
        for cause in batches.bases(chain):
            changed = cause.to(chain.design)
            if changed is not None and changed.consistent and changed.steps == chain.steps:
                yield from ((cause, *more) for more in gradient(with_design(chain, changed), nested=True))
    else:
        deviating = frozenset(part for part in PARTS if not chain.as_asked(part))
        every += [one for one in of_parts(chain, deviating) if one.cause.named or not nested]
        yield from covers(every, deviating)


def classes_of(explanations: Sequence[Explanation]) -> tuple[tuple[Explanation, ...], ...]:
    """Explanations that the record cannot tell apart stand in one class: as many causes, fitting the losses alike."""
    groups: dict[tuple[Any, ...], list[Explanation]] = {}
    for one in explanations:
        groups.setdefault((one.named, len(one.causes), one.fits_loss), []).append(one)
    return tuple(tuple(group) for group in groups.values())
