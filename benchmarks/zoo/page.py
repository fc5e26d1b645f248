"""Write ``docs/zoo.md`` from ``../results/zoo.json``, the catalogue and what explains the findings.

python -m benchmarks.zoo.page
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.zoo.catalogue import CATALOGUE, PACKAGES, Entry
from benchmarks.zoo.documented import DOCUMENTED, Documented
from benchmarks.zoo.fault import Fault
from benchmarks.zoo.life_faults import LIFE_FAULTS
from benchmarks.zoo.package_faults import FAULTS
from parity.markdown import as_text

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "zoo.json"
PAGE = ROOT / "docs" / "zoo.md"
CONDUCT = {
    "gradient-changed": "changes `.grad`",
    "group-ignored": "ignores the lr of groups",
    "layout": "not for every layout",
    "state-not-restored": "cannot be resumed",
    "moved-without-gradient": "does not skip a missing gradient",
    "moved-frozen": "does not skip a frozen parameter",
    "moved-not-required": "does not skip a fixed parameter",
    "hyper-parameters-changed": "changes its hyper-parameters",
    "not-finite": "gets NaN or inf",
    "element-left-out": "leaves elements out",
    "global-random-state": "draws from a global generator",
    "not-repeatable": "is not repeatable",
}
"""Findings that are no matter of numbers, in short."""
FACTS = (
    (r"they are normalised", "normalised"),
    (r"steps are proportional to the scale of the gradients", "∝ gradient"),
    (r"each element steps by its own gradients alone|changes the steps of no other element", "elementwise"),
    (r"changes the steps of \d+ others", "not elementwise"),
    (r"it has momentum", "momentum"),
    (r"it has no momentum", "no momentum"),
    (r"the first step moves nothing", "first step 0"),
    (r"every element moves by \S+ = (\S+·η)", r"first step \1"),
    (r"the first step is −\S+ = (\S+·η) times the gradient", r"first step \1·g"),
)
"""The patterns of notes of a check, and each in short."""
INTRODUCTION = """\
Every class below was run by [`parity check`](check.md): 24 steps with drawn gradients under a rate that changes, on a
matrix and its twin, a vector, a scalar and a parameter whose first gradient comes late, in float64 and float32, each
number held to a reference within a derived tolerance. A class that follows its reference there was led through
[the life of an optimizer](check.md#an-optimizer-class): groups, numbers that change, zero gradients, reloads, a
thousand steps and so on. What no optimizer must do was tried as well: change `.grad`, move what has no gradient,
ignore the rate of a group, fail on a layout. *Equals* says so of the situations that are counted, and of no others.
*Law only*: no reference here has that rule, so nothing is judged and what was measured is said. Options are those
with which a class should be the reference: what a package adds to it is switched off where it can be. *Not visible*:
these steps would be the same with another value of it. A fault is a fact about the version named.
"""
REFUSED = "it does not take what every optimizer is fed here: "
CheckRow = Mapping[str, Any]


def page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    rows = {tuple(row["command"]): row for row in document["checks"]}
    lines = [*_head(document, rows)]
    for package in PACKAGES:
        lines += _table(package, document["environment"][package], rows)
    first = [fault for fault in FAULTS if fault not in LIFE_FAULTS]
    lines += ["## Faults", "", *_faults(first, document["environment"])]
    lines += [
        "## Faults that the life of an optimizer shows",
        "",
        "New on this page: late gradients, added groups, float64.",
    ]
    lines += ["", *_faults(LIFE_FAULTS, document["environment"])]
    lines += ["## Departures, as documented", "", *_documented()]
    return "\n".join(lines)


def _head(document: Mapping[str, Any], rows: Mapping[tuple[str, ...], CheckRow]) -> Iterator[str]:
    environment = document["environment"]
    published = [(entry, rows[entry.command]) for entry in CATALOGUE if entry.package != "torch"]
    judged = [(entry, row) for entry, row in published if entry.against]
    equal = sum(_equal(row) for _, row in judged)
    narrow = sum(not _equal(row) and (row.get("float32") or math.inf) <= 1 for _, row in judged)
    yield from (
        "# The zoo: what published optimizers compute",
        "",
        INTRODUCTION,
        f"{len(published)} checks of {len({e.target for e, _ in published})} classes in {len(PACKAGES) - 1} packages:"
        f" {len(judged)} are held to a reference, {equal} of them equal it, {narrow} more do in float32;",
        f"for {len(published) - len(judged)} there is none."
        f" {len(FAULTS)} faults, each with a script that needs torch and that package alone.",
        "",
        f"torch {environment['torch']}, NumPy {environment['numpy']}, Python {environment['python']},"
        f" {environment['machine']}, CPU. All checks took {document['seconds']} s of processes.",
        "",
        "```sh",
        "pip install -e '.[zoo]'",
        "python -m benchmarks.zoo.run     # benchmarks/results/zoo.json",
        "python -m benchmarks.zoo.page    # this page",
        "```",
        "",
        "To check one row by hand: "
        "`parity check torch_optimizer:SGDW --hyper lr=0.01 --hyper weight_decay=0.1 --against sgdw`.",
        "",
    )


def _table(package: str, version: str, rows: Mapping[tuple[str, ...], CheckRow]) -> Iterator[str]:
    about = ", the control group" if package == "torch" else ""
    yield from (f"## {package} {version}{about}", "")
    yield from ("| class | options | claims | measured | verdict |", "|:--|:--|:--|:--|:--|")
    for entry in CATALOGUE:
        if entry.package == package:
            row = rows[entry.command]
            texts = (entry.target.partition(":")[2], _options(entry), entry.claims, measured(row))
            yield "| " + " | ".join([*map(as_text, texts), verdict(entry, row)]) + " |"
    yield ""


def _options(entry: Entry) -> str:
    short = {"lr": "η", "weight_decay": "λ", "momentum": "μ"}
    pairs = (pair.partition("=") for pair in entry.hyper)
    return ", ".join(f"{short.get(name, name)}={value}" for name, _, value in pairs if name != "print_change_log")


def measured(row: CheckRow) -> str:
    """The law in a few words."""
    if row["verdict"] in ("error", "unsupported"):
        return "–"
    parts = [row["family"].partition("(")[0]] if row["family"] and _equal(row) else []
    parts += [_decay(note) for note in row["notes"] if note.startswith("decay of")][:1]  # of the matrix
    for note in row["notes"]:
        for pattern, short in FACTS:
            if match := re.search(pattern, note):
                parts.append(match.expand(short))
    return ", ".join(filter(None, parts))


def _decay(note: str) -> str:
    said = note.split(": ", 1)[1]
    kinds = (("coupled", "decay coupled"), ("decoupled", "decay decoupled"), ("of another", "decay of another kind"))
    for word, short in kinds:
        if said.startswith(word):
            return short
    return ""


def _equal(row: CheckRow) -> bool:
    """All its numbers are the reference's."""
    share = row.get("share")
    return share is not None and share <= 1


def verdict(entry: Entry, row: CheckRow) -> str:
    """The verdict in words, with links to what explains it."""
    if row["verdict"] in ("error", "unsupported"):
        said = f"cannot run: {as_text(row['text'].removeprefix(REFUSED).rstrip(': '))}"
        if any(_is_of(fault, entry) and not fault.explains for fault in FAULTS):
            return f"{said}; [fault]({_link(entry)})"
        documented = any(_is_of(each, entry) and not each.explains for each in DOCUMENTED)
        return f"{said}; [as documented](#departures-as-documented)" if documented else said
    numbers = [one for one in row["findings"] if one["id"] not in CONDUCT]
    conduct = [one for one in row["findings"] if one["id"] in CONDUCT]
    if not entry.against:
        said = "law only"
    elif _equal(row):
        said = f"equals {_reference(entry)}" + (f" ({', '.join(row['unseen'])} not visible)" if row["unseen"] else "")
        said += _lived(row)
    elif row.get("float32") is not None and row["float32"] <= 1:
        said = f"equals {_reference(entry)} in float32; in float64 it {_departs(entry, numbers, '')}"
    else:
        said = _departs(entry, numbers, f" from {_reference(entry)}")
    said = "; ".join([said, *(_conduct(entry, one["id"]) for one in conduct)])
    others = [_anchor(fault) for fault in FAULTS if _is_of(fault, entry) and f"#{_anchor(fault)})" not in said]
    return "; ".join([said, *(f"[fault](#{anchor})" for anchor in others)])


def _lived(row: CheckRow) -> str:
    """In how many situations."""
    count = re.search(r"so it is in (\d+) situations", row["text"])
    return f" in {count[1]} situations" if count else ""


def _conduct(entry: Entry, id: str) -> str:
    """A rule that is broken, or what the package says in its place."""
    for each in DOCUMENTED:
        if _explains(each, entry, {id}):
            return f"[{each.what}](#departures-as-documented)"
    return f"[{CONDUCT[id]}]({_link(entry, id)})"


def _reference(entry: Entry) -> str:
    return f"`{entry.against}`"


def _departs(entry: Entry, numbers: Sequence[Mapping[str, Any]], what: str) -> str:
    """Differs, by a fault or as its documentation says."""
    ids = {one["id"] for one in numbers}
    if any(_explains(each, entry, ids) for each in DOCUMENTED):
        return f"departs{what}, [as documented](#departures-as-documented)"
    return f"[**differs**]({_link(entry, *ids)}){what}"


def _explains(each: Fault | Documented, entry: Entry, ids: set[str]) -> bool:
    return _is_of(each, entry) and bool(ids & set(each.explains))


def _is_of(each: Fault | Documented, entry: Entry) -> bool:
    return each.package == entry.package and entry.target.partition(":")[2] in each.classes


def unexplained(entry: Entry, row: CheckRow) -> set[str]:
    """Findings that neither a fault nor a document explains."""
    ids = {one["id"] for one in row["findings"]}
    return ids - {id for each in (*FAULTS, *DOCUMENTED) if _is_of(each, entry) for id in each.explains}


def _link(entry: Entry, *ids: str) -> str:
    for fault in FAULTS:
        if _explains(fault, entry, set(ids)) or (not ids and _is_of(fault, entry) and not fault.explains):
            return f"#{_anchor(fault)}"
    return "#departures-as-documented"


def _anchor(fault: Fault) -> str:
    return fault.id.replace("_", "-")


def _faults(faults: Sequence[Fault], environment: Mapping[str, str]) -> Iterator[str]:
    for fault in faults:
        yield from (
            f'<a id="{_anchor(fault)}"></a>',
            f"**{fault.package} {environment[fault.package]}: {fault.title}**",
            "",
            f"* where: {fault.where}",
            f"* measured: {fault.measured}",
            f"* against: {fault.contradicts}",
            f"* script: [`faults/{fault.id}.py`](../benchmarks/zoo/faults/{fault.id}.py)",
            "",
        )


def _documented() -> Iterator[str]:
    for each in DOCUMENTED:
        yield f"* {each.package} {', '.join(each.classes)}: {each.what} ({each.words})"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
    print(PAGE)
