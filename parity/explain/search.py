"""Which named faults bring a recorded run inside the tolerance: one alone, or two together.

Every hypothesis is applied to the design of correct code and all are predicted as one batch in float64. The distance
of a design from the record is the root mean square of error ÷ allowance, with the allowances of correct code; what
comes near is held to its own bound in running-error arithmetic, and only that decides. A number that a hypothesis
leaves free is found by least squares on the same distance. Pairs are tried only where no fault alone explains the run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.optimize import least_squares

from parity.explain.fitting import DIFFERENCE, finite
from parity.explain.hypotheses import HYPOTHESES, NARROWER, Hypothesis
from parity.explain.recover import recover
from parity.step.design import Design
from parity.step.engine import Engine
from parity.step.recording import Recording
from refimpl.arithmetic.formats import FORMATS
from refimpl.errors import RefimplError
from refimpl.types import Array

VERIFIED = 24
"""Designs, the nearest first, that are held to their bound."""
FAR = 1e4
"""Distance from which on they are not: a fault may have other allowances than correct code, but not that much other."""
NEAR = 3.0
"""The same for a design whose inputs are uncertain: wide allowances must not be what explains a run. In formats with
fewer digits than float32 they are too wide for any."""
FITTED = 100
"""Designs, the nearest first, whose free numbers are fitted."""
NUMBERS = 5_000_000
"""That are predicted at a time."""
ITERATIONS = 12
"""Of a fit, at most."""


@dataclass(frozen=True)
class Fault:
    """A hypothesis with the number that was found, nan where it has none."""

    hypothesis: Hypothesis
    value: float = math.nan

    @property
    def id(self) -> str:
        return self.hypothesis.id

    @property
    def text(self) -> str:
        return self.hypothesis.text.format(value=self.value)

    def apply(self, design: Design) -> Design | None:
        """The design with the fault; None where it makes no sense."""
        try:
            return self.hypothesis.apply(design, self.value)
        except RefimplError:
            return None


@dataclass(frozen=True)
class Candidate:
    """Faults, the design that they make of correct code, and how far it is from what was recorded."""

    faults: tuple[Fault, ...]
    design: Design
    distance: float = math.nan

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(sorted(fault.hypothesis.kind for fault in self.faults))

    @property
    def free(self) -> list[int]:
        """The faults whose numbers are to be found."""
        return [i for i, fault in enumerate(self.faults) if fault.hypothesis.free]


@dataclass(frozen=True)
class Explanation:
    """Faults that together bring the run inside the tolerance. ``share``: the largest error ÷ allowance of what was
    recorded of the weights; ``losses``: of the recorded loss, by what it is taken for."""

    faults: tuple[Fault, ...]
    design: Design
    share: float
    losses: dict[str, float]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(fault.id for fault in self.faults)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(sorted(fault.hypothesis.kind for fault in self.faults))

    @property
    def free(self) -> int:
        """How many of its numbers were searched for."""
        return sum(fault.hypothesis.free for fault in self.faults)

    @property
    def rare(self) -> int:
        return sum(fault.hypothesis.rare for fault in self.faults)

    @property
    def fits_loss(self) -> bool:
        return not self.losses or min(self.losses.values()) <= 1


@dataclass(frozen=True)
class Search:
    """``share``: the largest error ÷ allowance of correct code, and its ``distance`` from the record. ``classes``:
    explanations that the record cannot tell apart stand in one class, the likeliest class first; empty where correct
    code explains the run, and where nothing known does. ``nearest``: what came nearest, for the latter."""

    share: float
    distance: float
    classes: tuple[tuple[Explanation, ...], ...] = ()
    nearest: Candidate | None = None


def search(design: Design, recording: Recording, *, pairs: bool = True) -> Search:
    """Correct code, then single faults, rows and targets solved for, narrower arithmetic, then pairs."""
    return _Searching(design, recording).search(pairs)


class _Searching:
    def __init__(self, design: Design, recording: Recording) -> None:
        self.design, self.recording = design, recording
        self.predictions = Engine(recording)
        self.singles = self._singles()
        self.after = np.concatenate([values[1:].reshape(-1) for values in recording.weights.values()])
        self.scale = self._scale()

    def search(self, pairs: bool) -> Search:
        correct = self.predictions.share(self.design), float(self._distances([self.design])[0])
        if correct[0] <= 1:
            return Search(*correct)
        singles = self.singles
        found = self._verified(self._fitted([one for one in singles if not one.free]))
        kinds = {one.kinds for one in found}  # of which a free number may explain as much
        fitted = self._fitted([one for one in singles if not found or (one.free and one.kinds in kinds)])
        found = [*found, *self._verified(fitted)] or self._recovered() or self._narrower()
        if not found and pairs:
            fitted_pairs = self._fitted(self._pairs(fitted))
            found = self._verified(fitted_pairs) or self._narrower(fitted) or self._recovered(fitted)
            fitted = [*fitted[:1], *fitted_pairs[:1]]
        found = [*found, *self._usual(found)]
        nearest = min(fitted, key=lambda one: one.distance, default=None)
        return Search(*correct, self._classes(found), None if found else nearest)

    # -- what is tried -----------------------------------------------------------------------------------------------

    def _singles(self) -> list[Candidate]:
        """Every hypothesis with every number that it is to be tried with, where it makes sense."""
        faults = [Fault(one, value) for one in HYPOTHESES.values() for value in one.values]
        return [one for fault in faults if (one := self._made((fault,))) is not None]

    def _pairs(self, singles: Sequence[Candidate]) -> list[Candidate]:
        """Every two hypotheses, with each of their numbers; a free one with what is best alone, if there is one."""
        best = {one.faults[0].id: one.faults[0] for one in singles if one.free}
        tried = [best.get(one.faults[0].id, one.faults[0]) for one in self.singles]
        faults = list(dict.fromkeys(tried))
        pairs = [
            self._made(pair) or self._made(pair[::-1]) for pair in combinations(faults, 2) if pair[0].id != pair[1].id
        ]
        return [one for one in pairs if one is not None and one.design.steps == self.recording.steps]

    def _recovered(self, beside: Sequence[Candidate] = ()) -> list[Explanation]:
        """Rows or targets that were solved for, alone or beside another fault."""
        others = [one for one in beside if not one.free] or [Candidate((), self.design)]
        solved = [(one, found) for one in others for found in recover(one.design, self.recording)]
        return self._verified([Candidate((*one.faults, Fault(of)), design, 0.0) for one, (of, design) in solved])

    def _usual(self, found: Sequence[Explanation]) -> list[Explanation]:
        """In the place of a rare fault, free numbers of its kind that explain as much."""
        tried: list[Candidate] = []
        for one in found:
            for position, fault in enumerate(one.faults if one.rare else ()):
                kin = [h for h in HYPOTHESES.values() if h.free and h.kind == fault.hypothesis.kind]
                for other in (Fault(h, value) for h in kin for value in h.values):
                    faults = (*one.faults[:position], other, *one.faults[position + 1 :])
                    tried += [made] if (made := self._made(faults) or self._made(faults[::-1])) is not None else []
        return self._verified(self._fitted(tried)) if tried else []

    def _narrower(self, beside: Sequence[Candidate] = ()) -> list[Explanation]:
        """Arithmetic that is narrower than said, alone or beside another fault.

        A rounding that falls otherwise makes a large error in one number, so these are ranked by the median.
        """
        others = [one.faults for one in beside] or [()]
        made = [self._made((*some, Fault(one))) for some in others for one in NARROWER.values()]
        candidates = [one for one in made if one is not None and one.design.steps == self.recording.steps]
        ranked: list[Candidate] = []
        for part in self._parts(candidates):
            with np.errstate(all="ignore"):
                medians = np.median(np.abs(self._errors([one.design for one in part])), axis=1)
            ranked += [replace(one, distance=float(m)) for one, m in zip(part, medians, strict=True) if np.isfinite(m)]
        nearest = sorted(ranked, key=lambda one: one.distance)[:VERIFIED]
        return self._verified([replace(one, distance=0.0) for one in nearest])

    def _made(self, faults: tuple[Fault, ...]) -> Candidate | None:
        """Correct code with these faults, one after the other; None where they make no sense."""
        design: Design | None = self.design
        for fault in faults:
            design = fault.apply(design) if design is not None else None
        return None if design is None or not design.consistent else Candidate(faults, design)

    # -- how far it is -----------------------------------------------------------------------------------------------

    def _scale(self) -> Array:
        """The allowance of correct code, or of any with as many steps, for every number that was recorded after one."""
        designs = [self.design, *(one.design for one in self.singles)]
        usual = next((design for design in designs if design.steps == self.recording.steps), None)
        if usual is None:
            return np.ones(self.after.shape)
        pieces: dict[str, list[Array]] = {name: [] for name in self.recording.weights}
        for piece in self.predictions.expected(usual):
            pieces[piece.quantity.parameter].append(piece.allowance.reshape(-1))
        scale = np.concatenate([allowance for some in pieces.values() for allowance in some]).astype(float)
        known = np.isfinite(scale) & (scale > 0)
        return np.where(known, scale, np.max(scale[known], initial=np.finfo(float).tiny))

    def _errors(self, designs: Sequence[Design]) -> Array:
        """(predicted − recorded) ÷ allowance, ``(designs, numbers)``."""
        predicted = self.predictions.weights(designs)
        rows = np.concatenate([values.reshape(len(designs), -1) for values in predicted.values()], axis=1)
        with np.errstate(all="ignore"):
            errors: Array = (rows - self.after) / self.scale
        return errors

    def _distances(self, designs: Sequence[Design]) -> Array:
        with np.errstate(all="ignore"):
            distances = np.sqrt(np.mean(self._errors(designs) ** 2, axis=1))
        return np.where(np.isnan(distances), np.inf, distances)

    def _parts(self, candidates: Sequence[Candidate]) -> list[Sequence[Candidate]]:
        """As many at a time as fit in memory."""
        size = max(1, NUMBERS // len(self.after))
        return [candidates[start : start + size] for start in range(0, len(candidates), size)]

    # -- free numbers ------------------------------------------------------------------------------------------------

    def _fitted(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """One candidate for each set of hypotheses, with its best numbers; the nearest first."""
        best: dict[tuple[str, ...], Candidate] = {}
        for part in self._parts(candidates):
            distances = self._distances([one.design for one in part])
            for candidate, distance in zip(part, distances, strict=True):
                ids = tuple(fault.id for fault in candidate.faults)
                if np.isfinite(distance) and (ids not in best or distance < best[ids].distance):
                    best[ids] = replace(candidate, distance=float(distance))
        nearest = sorted(best.values(), key=lambda one: one.distance)
        fitted = [self._with_best_numbers(one) if one.free else one for one in nearest[:FITTED]]
        return sorted([*fitted, *nearest[FITTED:]], key=lambda one: one.distance)

    def _with_best_numbers(self, candidate: Candidate) -> Candidate:
        """min Σ errors² over the free numbers θ, in units of where they start; the slopes by differences."""
        start = np.array([candidate.faults[i].value for i in candidate.free])
        units = np.where(start == 0, 1.0, np.abs(start))

        def errors(x: Array) -> Array:
            made = self._with(candidate, x * units)
            found: Array = np.full(len(self.after), np.inf) if made is None else self._errors([made.design])[0]
            return finite(found)

        def slopes(x: Array) -> Array:
            beside = x + DIFFERENCE * np.eye(len(x))
            return np.column_stack([(errors(one) - errors(x)) / DIFFERENCE for one in beside])

        with np.errstate(all="ignore"):
            x = least_squares(errors, start / units, slopes, max_nfev=ITERATIONS).x
        found = self._with(candidate, x * units)
        distance = math.inf if found is None else float(self._distances([found.design])[0])
        return replace(found, distance=distance) if found and distance < candidate.distance else candidate

    def _with(self, candidate: Candidate, values: Array) -> Candidate | None:
        """The same faults with other free numbers."""
        faults = list(candidate.faults)
        for i, value in zip(candidate.free, values, strict=True):
            faults[i] = replace(faults[i], value=float(value))
        return self._made(tuple(faults))

    # -- what decides ------------------------------------------------------------------------------------------------

    def _verified(self, candidates: Sequence[Candidate]) -> list[Explanation]:
        """The nearest candidates that lie within their own bound."""
        of_uncertain = NEAR if FORMATS[self.recording.dtype].digits >= FORMATS["float32"].digits else 0.0
        near = [one for one in candidates[:VERIFIED] if one.distance < (of_uncertain if one.design.uncertain else FAR)]
        return [found for one in near if (found := self._explanation(one)) is not None]

    def _explanation(self, candidate: Candidate) -> Explanation | None:
        """The candidate, with free numbers of few digits if those will do."""
        for one in (*self._rounder(candidate), candidate):
            share = self.predictions.share(one.design, enough=1.0)
            if share <= 1:
                return Explanation(one.faults, one.design, share, self.predictions.loss_shares(one.design))
        return None

    def _rounder(self, candidate: Candidate) -> list[Candidate]:
        """The same with free numbers of three, or of six digits."""
        values = [[float(f"{candidate.faults[i].value:.{digits}g}") for i in candidate.free] for digits in (3, 6)]
        return [one for some in values if candidate.free and (one := self._with(candidate, np.array(some))) is not None]

    def _classes(self, found: Sequence[Explanation]) -> tuple[tuple[Explanation, ...], ...]:
        """What fits the recorded loss as well comes first; a free number that a named fault stands for is left out."""
        named = [one for one in found if not one.free]
        kept = [one for one in found if not one.free or not any(self._same(one, other) for other in named)]
        fewest: dict[tuple[str, ...], int] = {}
        for one in kept if not named else ():
            fewest[one.kinds] = min(one.free, fewest.get(one.kinds, one.free))
        kept = [one for one in kept if one.free == fewest.get(one.kinds, one.free)]
        kept.sort(key=lambda one: (one.rare, one.free))
        fitting = tuple(one for one in kept if one.fits_loss)
        others = tuple(one for one in kept if not one.fits_loss)
        return tuple(group for group in (fitting, others) if group)

    def _same(self, one: Explanation, other: Explanation) -> bool:
        """True where both predict the same weights: the one is the other in other words."""
        predicted = self.predictions.weights([one.design, other.design])
        return all(np.allclose(values[0], values[1], rtol=1e-12, atol=0) for values in predicted.values())
