"""A comparison in words, where A and B are the two runs: where they part, and what one has that the other has not."""

from __future__ import annotations

from parity.features.compare.compare import Comparison, Difference
from parity.step.expected import in_use


def text_of(comparison: Comparison) -> str:
    """The verdict, in a line."""
    first, (end_a, end_b) = comparison.first, comparison.ends
    same = _agreement(comparison)
    if first is None and end_a == end_b:
        return same
    if first is None:
        return f"A ends after {end_a + 1} steps, B after {end_b + 1}; as far as both go, {same}"
    where = f"they part {moment(first.step)}: {element(first)} is {first.a!r} in A and {first.b!r} in B"
    apart = f"{first.relative:.2g} of the larger"
    if comparison.against:
        apart += f", {first.share:.3g} times what rounding allows two correct runs"
    return f"{where}, apart by {apart}"


def _agreement(comparison: Comparison) -> str:
    numbers = sum(one.numbers for one in comparison.tensors)
    if comparison.against:
        return (
            f"all {numbers:,} numbers lie within what rounding allows two correct runs of {comparison.against}, "
            + in_use(comparison.share)
        )
    return f"all {numbers:,} numbers are the same{', as far as they were written' if comparison.as_written else ''}"


def moment(step: int) -> str:
    """``in step 3``; the initial weights are from before the first step."""
    return f"in step {step}" if step >= 0 else "before the first step"


def element(difference: Difference) -> str:
    """``weight[0, 3]``."""
    index = f"[{', '.join(map(str, difference.index))}]" if difference.index else ""
    return f"{difference.tensor}{index}"


def explained(comparison: Comparison) -> list[str]:
    """The causes that are of one run alone, by ``parity check``; nothing where no experiment is given."""
    if not comparison.diagnoses:
        return []
    a, b = ({finding.id: finding.text for finding in one.findings} for one in comparison.diagnoses)
    lines = []
    for run, own, other in (("A", a, b), ("B", b, a)):
        lines += [f"in {run} alone: {text} ({id})" for id, text in own.items() if id not in other]
    lines += [f"in both: {text} ({id})" for id, text in a.items() if id in b]
    return lines
