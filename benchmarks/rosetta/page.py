"""docs/rosetta.md from what was run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.rosetta.rows import ROWS

MARKS = {"proven": "✓", "refuted": "✗", "not decided": "?", "not run": "?", "absent": "–"}
"""The best verdict first."""
INTRODUCTION = """\
# Rosetta: one optimizer in many libraries

Which settings of one library make the steps of another's? Each row is a rule with numbers that show every part of it,
and each cell is a run: the library's own optimizer, from the same weights on the same gradients, 32 steps in which the
rate changes and some gradients are zero, with two parameters of one shape and one of one element.

* ✓ **proven**: every weight after every step lies within the bound of rounding errors around the hand-derived rule, so
  the library makes the same steps as every other ✓ of its row.
* ✗ **refuted**: a weight differs by more from that of the optimizer after `--from`; the number, and why, stand below.
* ? **not decided**: neither the one nor the other was shown; what was seen stands below.
* – **absent**: the library has no optimizer of this rule, or no word for a number of it.

Where a library has several optimizers that may be the rule, the table has the best of their marks; below, each has its
own.

✓ says so of the settings and the steps that were run, and of nothing else. Other numbers:

```sh
parity convert --from optax.adamw --hyper learning_rate=0.01 --hyper weight_decay=0.1 --to torch.AdamW --prove
```

"""


def page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    libraries = [library for library, number in document["versions"].items() if number]
    by_cell: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in document["cells"]:
        by_cell.setdefault((one["row"], one["library"]), []).append(one)
    lines = [*_versions(document, libraries), "", "This page is written by `python -m benchmarks.rosetta.run`.", ""]
    lines += [f"| | {' | '.join(libraries)} |", f"|:--|{':-:|' * len(libraries)}"]
    for label in ROWS:
        marks = [MARKS[_best(by_cell.get((label, library), []))] for library in libraries]
        lines.append(f"| [{label}](#{_anchor(label)}) | {' | '.join(marks)} |")
    lines.append("")
    for label, row in ROWS.items():
        lines += [f"## {label}", "", "```sh", row.command, "```", ""]
        lines += list(_entries(libraries, label, by_cell))
        lines.append("")
    return INTRODUCTION + "\n".join(lines)


def _versions(document: Mapping[str, Any], libraries: Sequence[str]) -> Iterator[str]:
    """The versions that were run on each machine."""
    machines = document["machines"]
    for machine in dict.fromkeys(machines[library] for library in libraries):
        on_it = [f"{name} {document['versions'][name]}" for name in libraries if machines[name] == machine]
        yield f"* {machine}, CPU: {', '.join(on_it)}"


def _best(entries: Sequence[Mapping[str, Any]]) -> str:
    verdicts = {one["verdict"] for one in entries}
    return next((verdict for verdict in MARKS if verdict in verdicts), "absent")


def _entries(
    libraries: Sequence[str], label: str, by_cell: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
) -> Iterator[str]:
    """One line for each optimizer that may be the rule."""
    for library in libraries:
        entries = by_cell.get((label, library), [])
        if not entries:
            yield f"* – {library}: it has no optimizer of this rule"
        for one in entries:
            said = f": {one['text']}" if one["verdict"] != "proven" else ""
            yield f"* {MARKS[one['verdict']]} `{one['call'] or one['to']}`{said}"


def _anchor(label: str) -> str:
    return label.lower().replace(",", "").replace(" ", "-")
