"""docs/bridges.md: statement, proof, picture, command and numbers of each bridge, all from the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parity.features.bridges.bridge import Bridge, Computation
from parity.features.bridges.pictures import caption

INTRODUCTION = """\
# Exact bridges

Each bridge joins two ideas that are the same mathematics, or nearly. It has a proof, a picture, and numbers that were
computed twice, in two ways that share no formula. `parity bridge` lists the bridges, `parity bridge ID` shows one and
writes its picture and its numbers as JSON; in Python it is `parity.bridge(ID)`, whose result has `plot()`
([API](api/parity.md)). This page and its pictures are written by `python -m parity.features.bridges docs`.

w are the weights, b the bias, `r = Xw + b − y` the residuals of n rows, η the learning rate, λ the strength of
`λ/2·‖w‖²` (ridge, L2) or `λ‖w‖₁` (lasso, L1), c·reduce the loss. The data are those of the textbook in the gallery
(`s0-*`), seed 0. *Digits* is the least number of digits that the two computations agree to, on any machine; the
command prints how many they are on yours.
"""


def page(evidence: Mapping[str, Computation], bridges: Mapping[str, Bridge]) -> str:
    """The whole page. Numbers have four digits and no measured rounding errors: they are the same everywhere."""
    index = "".join(f"* [{bridge.title}](#{id})\n" for id, bridge in bridges.items())
    return "\n".join([INTRODUCTION, index, *(_section(id, bridges[id], computed) for id, computed in evidence.items())])


def number(value: float) -> str:
    """Four digits; integers whole."""
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e6 else f"{value:.4g}"


def _section(id: str, bridge: Bridge, computed: Computation) -> str:
    identities = [(identity.claim, *identity.ways, str(identity.promised)) for identity in computed.identities]
    facts = [(what, number(value)) for what, value in computed.facts.items()]
    parts = [
        f"## {id}\n",
        f"**{bridge.title}.** {bridge.statement}\n",
        bridge.proof.replace("::\n", ":\n").replace("``", "`"),
        f"![{caption(id)}](images/bridge-{id}.png)\n",
        f"*{caption(id)}*\n",
        f"```sh\nparity bridge {id}\n```\n",
        _grid(("equal", "one way", "the other", "digits"), identities),
        _grid(("number", ""), facts),
    ]
    return "\n".join(parts)


def _grid(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table whose last column is of numbers."""
    rule = (*(":--" for _ in columns[1:]), "--:")
    cells = [columns, rule, *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)
