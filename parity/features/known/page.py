"""docs/known-deviations.md: every fact with its formulas, its thread and its script; nothing depends on the machine."""

from __future__ import annotations

from collections.abc import Iterable

from parity.features.known.fact import Fact, Kind
from parity.features.known.known import KNOWN

INTRODUCTION = """\
# Known deviations

Each fact has a live reproduction that needs torch alone: a script that prints one line and ends with exit code 0.
`parity known` tries them all on your machine and says `still so`, `no longer: remove me` (exit code 1) or
`cannot be shown here`; `parity known ID` shows one with its script. This page is written by
`python -m parity.features.known > docs/known-deviations.md`.

η is the learning rate, λ the weight decay, μ the momentum, τ the dampening, g the gradient, w the parameter.
"""
HEADINGS: dict[Kind, str] = {
    "deviation": "Deviations: torch is wrong",
    "surprise": "Surprises: documented or deliberate, and they bite",
}


def page() -> str:
    """The whole page."""
    kinds = {kind: [fact for fact in KNOWN.values() if fact.kind == kind] for kind in HEADINGS}
    indices = [_index(HEADINGS[kind], facts) for kind, facts in kinds.items()]
    sections = [_section(fact) for facts in kinds.values() for fact in facts]
    return "\n".join([INTRODUCTION, *indices, *sections])


def thread(link: str) -> str:
    """``pytorch#191763`` for a thread of GitHub."""
    _, repository, _, number = link.rsplit("/", 3)
    return f"{repository}#{number}"


def _index(heading: str, facts: Iterable[Fact]) -> str:
    return f"## {heading}\n\n" + "".join(f"* [{fact.title}](#{fact.id})\n" for fact in facts)


def _section(fact: Fact) -> str:
    link = f"[{thread(fact.link)}]({fact.link})" if fact.link else "none found"
    return (
        f"### {fact.id}\n\n{fact.title}.\n\n"
        f"* Expected: {fact.expected}.\n* Executed: {fact.executed}.\n"
        f"* Seen in torch {fact.versions}. Upstream thread: {link}.\n\n"
        f"```python\n{fact.source}```\n"
    )
