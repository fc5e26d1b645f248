"""The update law that a run executed: ``Δw = −0.0100·∇L − 0.0300·w``, measured from its weights alone.

Of the terms in :mod:`parity.explain.terms`, all sets of growing size are tried; the law is the smallest set whose
coefficients leave no element farther off than rounding can (:mod:`parity.explain.smallest`), over the steps that have
two before them. Each coefficient has an error bar that is guaranteed if the law has the terms that were
executed. Then::

    alternatives    other sets of the same size that the data cannot tell from it
    absent          the coefficient that each further term could have beside it: what the data cannot rule out
    start           what the first two steps did where they are off the law with the missing updates taken as 0;
                    torch's first step of momentum is undampened: −η·g, where the law has −η(1 − τ)·g

Long runs are searched on a sample of ``SAMPLE`` equations, drawn with a fixed seed, and the law is then held to all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from parity.explain.formula import Term, formula, letters
from parity.explain.motion import Motion
from parity.explain.smallest import MOST, Fit, largest_share, repeats, smallest, solve
from parity.explain.terms import BACK, Equations, equations, together
from refimpl.types import Array

SAMPLE = 20_000
"""Equations that are searched at most."""


@dataclass(frozen=True, kw_only=True)
class Law:
    """A law of one parameter, or of several that share it (``weight, bias``).

    ``share``: largest |residual| ÷ allowance. ``explained``: the law is within rounding, else ``terms`` is the closest
    that was found and ``reason`` says what is the matter. ``start``: number of a first step, and its own terms, or none
    where nothing is known. ``as_asked``: the law that was asked for is within rounding, too; None if none was given.
    """

    parameter: str
    terms: tuple[Term, ...]
    share: float
    explained: bool
    reason: str = ""
    alternatives: tuple[tuple[Term, ...], ...] = ()
    absent: tuple[Term, ...] = ()
    start: tuple[tuple[int, tuple[Term, ...]], ...] = ()
    as_asked: bool | None = None

    @property
    def first(self) -> str:
        """What the first steps did if they differ, else nothing."""
        steps = (
            f"{('first', 'second')[k]} step: {formula(own) if own else 'not by this law'}" for k, own in self.start
        )
        return letters(self.parameter, "; ".join(steps))

    @property
    def text(self) -> str:
        """The formula, or why there is none."""
        return letters(self.parameter, formula(self.terms)) if self.explained else f"not explained: {self.reason}"


def measure(motion: Motion, asked: Law | None = None) -> Law:
    """The law of one parameter. ``asked``: the law of the reference's own run, to be held to this motion as well."""
    return _measure(motion.parameter, equations(motion), asked)


def measure_all(motions: Sequence[Motion], asked: Mapping[str, Law] | None = None) -> list[Law]:
    """Every parameter's law, and the joint law if one no longer than theirs holds for all."""
    asked = asked or {}
    systems = [equations(motion) for motion in motions]
    each = [_measure(m.parameter, s, asked.get(m.parameter)) for m, s in zip(motions, systems, strict=True)]
    if len(each) < 2 or not all(law.explained for law in each):
        return each
    name = ", ".join(law.parameter for law in each)
    joint = _measure(name, together(systems), asked.get(name))
    no_longer = len(joint.terms) <= max(len(law.terms) for law in each)
    return [*each, joint] if joint.explained and no_longer else each


def _measure(parameter: str, all_steps: Equations, asked: Law | None) -> Law:
    later = all_steps.at(all_steps.step >= BACK)
    if len(later) < 2:
        reason = f"{len(later)} numbers from the third step on, a law needs 2; run more steps"
        return Law(parameter=parameter, terms=(), share=0.0, explained=False, reason=reason)
    rows = np.sort(np.random.default_rng(0).permutation(len(later))[:SAMPLE])
    sample = later.at(rows) if len(later) > SAMPLE else later
    best, *others = smallest(sample)
    terms = _terms(sample, best)
    share = max(best.share, _share(later, terms)) if len(later) > len(sample) else best.share
    reason = ""
    if not best.possible:
        most = min(MOST, len(sample) // 2)
        reason = f"no law of up to {most} terms is within rounding, the closest is off {share:.3g} times it"
        reason += f"; {len(sample)} numbers do not tell more terms, run more steps" if most < MOST else ""
    elif share > 1:
        reason = f"{formula(terms)} holds on a sample of the run, but is off {share:.3g} times rounding elsewhere"
    return Law(
        parameter=parameter,
        terms=terms,
        share=share,
        explained=not reason,
        reason=reason,
        alternatives=tuple(_terms(sample, other) for other in others),
        absent=() if reason else _absent(sample, best),
        start=() if reason else _start(all_steps, terms),
        as_asked=_holds(all_steps, asked) if asked is not None and asked.explained else None,
    )


def _terms(system: Equations, fit: Fit) -> tuple[Term, ...]:
    parts = zip(fit.chosen, fit.coefficient, fit.error, strict=True)
    return tuple(Term(system.names[i], float(c), float(error)) for i, c, error in parts)


def _share(system: Equations, terms: Sequence[Term]) -> float:
    """|residual| ÷ allowance of a law within its error bars; ∞ if the equations lack one of its terms."""
    if any(term.term not in system.names for term in terms):
        return float("inf")
    coefficients: list[Array] = [np.array([getattr(term, part) for term in terms]) for part in ("coefficient", "error")]
    return largest_share(system, [system.names.index(term.term) for term in terms], *coefficients)


def _holds(system: Equations, asked: Law) -> bool:
    """Whether a law is within rounding in every step; of a first step of which nothing is known, nothing is asked."""
    own = dict(asked.start)
    steps = [(system.step == k, own.get(k, asked.terms)) for k in range(BACK) if own.get(k) != ()]
    steps.append((system.step >= BACK, asked.terms))
    return all(_share(system.at(rows), terms) <= 1 for rows, terms in steps)


def _absent(system: Equations, best: Fit) -> tuple[Term, ...]:
    """Each further term beside the law: its coefficient, of which only the error bar is of interest."""
    wider = [(*best.chosen, i) for i in range(len(system.names)) if i not in best.chosen]
    fits = [solve(system, chosen) for chosen in wider if not repeats(system, chosen)]
    return tuple(_terms(system, fit)[-1] for fit in fits if fit is not None)


def _start(system: Equations, terms: tuple[Term, ...]) -> tuple[tuple[int, tuple[Term, ...]], ...]:
    found = []
    for k in range(BACK):
        step = system.at(system.step == k)
        if _share(step, terms) <= 1:
            continue
        own = smallest(step)[0]
        found.append((k, _terms(step, own) if own.possible else ()))
    return tuple(found)
