"""Whether the faults that were planted are the ones that the explanations name.

Explanations that a record cannot tell apart stand in one class. A fault counts as named by a class where one
explanation has it; two faults where one explanation has both, for then both are to be mended. What is found beside
the search, such as initial weights, is part of every explanation.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.power.case import RightCause
from parity.explain.finding import Diagnosis
from parity.explain.why import classes_of

ANSWERS: Mapping[str, str] = {
    "element-never-updated": "elements-not-updated",
    "elements-every-fourth": "elements-not-updated",
    "precision-bfloat16-weights": "precision-bfloat16",
    "precision-float16-weights": "precision-float16",
}
"""The right name, where it is not the fault's own, or another that is as right."""
NUMBERS: Mapping[str, str] = {
    "penalty-other-strength": "weight_decay of the weight",
    "decay-extra": "weight_decay of the weight",
    "maximize": "maximize of the weight is True",
}
"""Faults that are numbers of a parameter group, as ``optimizer-numbers`` reads them off where they were recorded."""
NAMELESS = ("gradient-noise",)
"""Faults that nothing can name: the right answer is a description without a name."""


def cause(faults: tuple[str, ...], diagnosis: Diagnosis) -> RightCause:
    """The place of the explanation that has all faults, and the number of faults that the first class has."""
    wanted = {_answer(fault) for fault in faults if fault not in NAMELESS}
    classes = classes_of(diagnosis.explanations)
    searched = set(classes[0][0].ids) if classes else set()
    beside = {_answer(_name(finding.id)) for finding in diagnosis.findings if finding.id not in searched}
    read = " ".join(finding.text for finding in diagnosis.findings if finding.id == "optimizer-numbers")
    beside |= {fault for fault, words in NUMBERS.items() if words in read}
    explanations = [[beside | set(map(_answer, one.ids)) for one in group] for group in classes] or [[beside]]
    hits = [(i, wanted <= one) for i, group in enumerate(explanations, 1) for one in group]
    named = [(rank, place) for place, (rank, hit) in enumerate(hits, 1) if hit]
    if set(faults) <= set(NAMELESS):
        described = not classes or not classes[0][0].named
        named = [(1, 1)] if described else []
    rank, place = named[0] if named else (None, None)
    most = max(len(wanted & one) for one in explanations[0])
    own = {_name(finding.id): finding.alike for finding in diagnosis.findings}
    findings = tuple(dict.fromkeys([*own, *(name for alike in own.values() for name in alike)]))
    return RightCause(named=most, rank=rank, place=place, size=len(explanations[0]), findings=findings)


def _answer(id: str) -> str:
    return ANSWERS.get(id, id)


def _name(id: str) -> str:
    """``initial-zeros (weight)`` without the parameter."""
    return id.split(" (")[0]
