"""A measured law in words, beside the law that was asked for.

What was asked is measured, too: on the reference's own run, in the same way. So nothing about an optimizer is coded
twice, and two laws are compared term by term, each coefficient within the error bars of both. A term that is missing is
called absent only if what was asked lies outside of what the data leave open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from parity.explain.formula import Term, formula, letters, number
from parity.explain.law import Law
from parity.explain.terms import SCHEDULED

NOUNS = {
    "∇L": "gradient",
    "w": "decay",
    "Δw₋₁": "momentum",
    "∇L₋₁": "previous gradient",
    "sign w": "sign of w",
    "w/‖w‖": "direction of w",
    "1": "constant",
    "w₋₁": "previous w",
    "Δw₋₂": "update before the previous",
}
USUAL = ("w", "Δw₋₁")
"""Of these it is said, too, that they are absent as asked."""
FACTORS = {"2": 2.0}
SHARP = 0.1
"""Relative error bar of a ratio above which no name is looked for."""


@dataclass(frozen=True)
class Sentence:
    """``as_asked``: it says that something is as it was asked for."""

    parameter: str
    text: str
    as_asked: bool

    def __str__(self) -> str:
        return f"{self.parameter}: {self.text}"


def in_words(
    laws: Sequence[Law],
    asked: Sequence[Law],
    *,
    values: Mapping[str, float] | None = None,
    factors: Mapping[str, float] | None = None,
) -> list[Sentence]:
    """What each law says beside the one of the same parameter that was asked for.

    ``values``: what coefficients that were asked for are called, ``{"η": 0.01, "η·λ": 0.03}``. ``factors``: what their
    ratio to what was asked may be called, or one over it, ``{"the batch size": 5.0}``; 2 always.
    """
    wanted = {law.parameter: law for law in asked}
    joint = [law for law in laws if "," in law.parameter and law.parameter in wanted]
    found = []
    for law in joint or [law for law in laws if law.parameter in wanted]:
        sentences = _compared(law, wanted[law.parameter], values or {}, FACTORS | dict(factors or {}))
        found += [Sentence(law.parameter, letters(law.parameter, text), as_asked) for text, as_asked in sentences]
    return found


def summary(sentences: Sequence[Sentence]) -> str:
    """One line: what is not as asked, or else all that is."""
    wrong = [sentence for sentence in sentences if not sentence.as_asked]
    by_parameter: dict[str, list[str]] = {}
    for sentence in wrong or sentences:
        by_parameter.setdefault(sentence.parameter, []).append(sentence.text)
    return "; ".join(f"{parameter}: {'; '.join(texts)}" for parameter, texts in by_parameter.items())


def _compared(
    law: Law, asked: Law, values: Mapping[str, float], factors: Mapping[str, float]
) -> list[tuple[str, bool]]:
    """Sentences, and whether each says "as asked"."""
    if not law.explained or not asked.explained:
        return [(law.text if asked.explained else f"{law.text}; asked: {asked.text}", False)]
    of_law, of_asked = ({term.term: term for term in one.terms} for one in (law, asked))
    if law.as_asked and of_law.keys() != of_asked.keys():
        return [(f"as asked as far as the data tell: {formula(asked.terms)}, but so is {formula(law.terms)}", True)]
    found = []
    for name in of_asked:
        plain = name.removeprefix(SCHEDULED)
        if name not in of_law and plain in of_law and plain not in of_asked:
            term = of_law.pop(plain)
            found.append((f"{_noun(plain)} {term}, asked {of_asked[name]}: it does not follow the schedule", False))
        else:
            found.append(_one(name, of_law.pop(name, None), of_asked[name], law, values, factors))
    found += [_one(name, term, None, law, values, factors) for name, term in of_law.items()]
    if not law.alternatives:
        absent = [name for name in USUAL if not any(name in (t.term, t.term[2:]) for t in (*law.terms, *asked.terms))]
        found += [(f"no {_noun(name)}, as asked", True) for name in absent]
    found += [(f"cannot be told from {formula(other)}", True) for other in law.alternatives]
    if law.start or asked.start:
        found.append(_first(law, asked))
    return found


def _one(
    name: str,
    term: Term | None,
    asked: Term | None,
    law: Law,
    values: Mapping[str, float],
    factors: Mapping[str, float],
) -> tuple[str, bool]:
    """One term: as asked, a multiple of it, absent, or there although nobody asked for it."""
    noun = _noun(name)
    if term is None:
        assert asked is not None
        possible = next((other for other in law.absent if other.term == name), None)
        if possible is not None and agree(possible, asked):
            return f"{noun}: asked {asked}, which the data do not show", True
        return f"no {noun}, asked {asked}", False
    if asked is None:
        return f"{noun} {term}, asked none", False
    if agree(term, asked):
        named = next((f" = {key}" for key, value in values.items() if _is(asked, value)), "")
        return f"{noun} {term}{named} as asked", True
    return f"{noun} {term}, asked {asked}: {_times(term, asked, factors)}", False


def _first(law: Law, asked: Law) -> tuple[str, bool]:
    """The first steps: of two laws they are the same where each term is."""
    pairs = list(zip_longest(law.start, asked.start))
    if law.as_asked or all(x is not None and y is not None and _same_step(x, y) for x, y in pairs):
        return f"{law.first or asked.first}, as asked", True
    what = law.first or "the first step is like the others"
    return f"{what}; asked: {asked.first or 'like the others'}", False


def _same_step(one: tuple[int, tuple[Term, ...]], other: tuple[int, tuple[Term, ...]]) -> bool:
    (k, own), (j, its) = one, other
    return k == j and len(own) == len(its) and all(agree(x, y) for x, y in zip(own, its, strict=True))


def agree(one: Term, other: Term) -> bool:
    """The same term, and coefficients that their error bars do not tell apart."""
    return one.term == other.term and abs(one.coefficient - other.coefficient) <= one.error + other.error


def _is(term: Term, value: float) -> bool:
    return value != 0 and abs(abs(term.coefficient) - abs(value)) <= term.error


def _times(term: Term, asked: Term, factors: Mapping[str, float]) -> str:
    """The ratio to what was asked, by name where it is known well enough to be recognised."""
    ratio = term.coefficient / asked.coefficient
    error = abs(ratio) * (term.error / abs(term.coefficient) + asked.error / abs(asked.coefficient))
    if error <= SHARP * abs(ratio):
        opposite = " with the other sign" if ratio < 0 else ""
        if abs(abs(ratio) - 1) <= error:
            return f"what was asked{opposite}"
        for name, factor in factors.items():
            if abs(abs(ratio) - factor) <= error:
                return f"{name} times what was asked{opposite}"
            if abs(abs(ratio) - 1 / factor) <= error:
                return f"what was asked ÷ {name}{opposite}"
    return f"{number(ratio, error)} times what was asked"


def _noun(name: str) -> str:
    """What a term is called; whether it follows the schedule is part of what it is."""
    if name.startswith("s/"):
        return NOUNS["Δw₋₁"]
    if name.startswith("s·"):
        return f"scheduled {NOUNS.get(name[2:], name[2:])}"
    return NOUNS.get(name, name)
