"""The edits of a program that have words of their own: the vocabulary, counters, averages that lag, narrow formats."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import msgspec

from parity.explain.update import counts
from parity.explain.update.edit import Edit, Editor
from parity.explain.update.program import Program
from parity.explain.update.rewrite import bind, expressions, matched, parsed, replaced
from parity.explain.words import words_of


@dataclass(frozen=True, kw_only=True)
class Wording:
    """``changes``: pairs of a pattern and of what takes its place. ``kind``: edits of one kind exclude one another.
    ``value``: the number in the words of its name, where these have one."""

    id: str
    kind: str
    changes: tuple[tuple[str, str], ...]
    value: float = math.nan

    @property
    def text(self) -> str:
        """What is said of it."""
        return words_of(self.id, {"value": self.value}).text


@cache
def vocabulary() -> tuple[Wording, ...]:
    """All of them, in the order in which they are tried."""
    source = files(__package__).joinpath("vocabulary.toml").read_text(encoding="utf-8")
    return msgspec.toml.decode(source, type=dict[str, tuple[Wording, ...]])["edit"]


FORMATS = ("bfloat16", "float16", "float32")
COUNTED = "1 - B ** t"
WHICH = {"m": "beta1", "v": "beta2"}
CORRECTIONS = {
    "none": "bias-correction-missing-both",
    "none-of-m": "bias-correction-missing-first",
    "none-of-v": "bias-correction-missing-second",
    "lagging": "bias-correction-late",
}


@lru_cache(maxsize=128)
def named_edits(program: Program, epochs: bool = False) -> tuple[Edit, ...]:
    """The edits of a program that have words of their own. ``epochs``: whether the run has several."""
    return tuple(VocabularyEditor(program).edits(epochs))


class VocabularyEditor(Editor):
    """The edits that the vocabulary and the tables of counters make of a program."""

    def edits(self, epochs: bool) -> Iterator[Edit]:
        """All edits, those of the vocabulary first."""
        for wording in vocabulary():
            yield from self._worded(wording)
        yield from self._counted(epochs)
        yield from self._lagging()
        yield from self._narrow()

    def _worded(self, wording: Wording) -> Iterator[Edit]:
        """One edit for each place of the first pattern; the others must be found, too."""
        pattern, other = wording.changes[0]
        for i in range(len(self.trees)):
            known = self._at(i, pattern, {})
            if known is None:
                continue
            places, lines = [(i, pattern, other)], dict[int, str]()
            for further, its in wording.changes[1:]:
                where = next((j for j in range(len(self.trees)) if self._at(j, further, known) is not None), None)
                if where is None:
                    break
                known = self._at(where, further, known) or known
                places.append((where, further, its))
            else:
                for where, its, new in places:
                    lines[where] = self._rewritten(lines.get(where, self.program.lines[where]), its, new, known)
                if any(self.program.lines[j] != line for j, line in lines.items()):
                    asked = (self.paper.line(self.program.lines[j]) for j in sorted(lines))
                    right = "; ".join(line for line in asked if line != "g ← g")
                    yield Edit(id=wording.id, kind=wording.kind, text=wording.text, right=right, lines=lines)

    def _at(self, i: int, pattern: str, known: Mapping[str, ast.expr]) -> dict[str, ast.expr] | None:
        """What the letters stand for where a line, or the first expression in it, has the form of a pattern."""
        if isinstance(parsed(pattern), ast.stmt):
            return matched(pattern, self.trees[i], known)
        matches = (matched(pattern, node, known) for node in self.parts[i])
        return next((each for each in matches if each is not None), None)

    def _rewritten(self, source: str, pattern: str, other: str, known: Mapping[str, ast.expr]) -> str:
        new = bind(other, known)
        if isinstance(parsed(pattern), ast.stmt):
            return ast.unparse(new)
        tree = parsed(source)
        return replaced(tree, next(n for n in expressions(tree) if matched(pattern, n, known) is not None), new)

    def _counted(self, epochs: bool) -> Iterator[Edit]:
        """The counter of the bias corrections 1 − βᵗ counts something else, or the β is another one."""
        places = [
            (i, node, ast.unparse(letters["B"]))
            for i, tree in enumerate(self.trees)
            for node in expressions(tree)
            if (letters := matched(COUNTED, node)) is not None
        ]
        if not places:
            yield from self._corrected()
            return
        betas = list(dict.fromkeys(beta for _, _, beta in places))
        right = "the correction uses t = 1, 2, 3, … steps of this parameter"
        for name, count in counts.TABLE.items():
            of = [beta for beta in betas if not count.only or beta == WHICH[count.only]]
            both = name in ("none", "frozen")  # their words speak of m and of v
            if not of or (name == "epochs" and not epochs) or (both and betas != ["beta1", "beta2"]):
                continue
            lines = {i: self._with(i, n, f"corrected({b}, counter[k], param)") for i, n, b in places if b in of}
            id = CORRECTIONS.get(name, f"correction-{name}")
            yield Edit(id=id, kind="correction", text=count.text, right=right, lines=lines, counts={"counter": count})
        for name, text in counts.CROSSED.items() if betas == ["beta1", "beta2"] else ():
            crossed = {"beta1": "beta2" if "m" in name else "beta1", "beta2": "beta1" if "v" in name else "beta2"}
            lines = {i: self._with(i, n, f"1 - {crossed[b]} ** t") for i, n, b in places}
            right = "m is divided by 1 − β₁ᵗ and v by 1 − β₂ᵗ"
            yield Edit(id=f"correction-crossed-{name}", kind="correction", text=text, right=right, lines=lines)

    def _corrected(self) -> Iterator[Edit]:
        """A bias correction of v that was not asked, by the parameter's own steps or by all."""
        of = {"": counts.Count(lambda place: place.t, ""), "-late": counts.TABLE["late"]}
        for i, tree in enumerate(self.trees):
            for node in expressions(tree):
                letters = matched("np.sqrt(V) + self.eps", node) if hasattr(self.program.asked, "alpha") else None
                for name, count in of.items() if letters is not None else ():
                    new = bind("np.sqrt(V / corrected(self.alpha, counter[k], param)) + self.eps", letters or {})
                    yield Edit(
                        id=f"correction-of-v{name}",
                        kind="correction",
                        text=f"v is divided by 1 − αᵗ, which was not asked{'; ' * bool(name)}{count.text}",
                        right="no bias correction",
                        lines={i: replaced(tree, node, new)},
                        counts={"counter": count},
                    )

    def _lagging(self) -> Iterator[Edit]:
        """What was kept of the step before is used, and what the step makes of it is for the next one."""
        for key, name in self.program.kept.items():
            made = self._made(name) if name in self.program.tensors else None
            uses = [
                (i, [n for n in expressions(tree, kept=False) if ast.unparse(n) == name])
                for i, tree in enumerate(self.trees)
                if made is not None and i > made and not ast.unparse(tree).startswith("after[")
            ]
            for suffix, start, but in (("", f"0 * {name}", ""), ("-but-first", name, ", but for the first step")):
                lines = {i: self._with(i, nodes, f"state.get('{key}', {start})") for i, nodes in uses if nodes}
                if lines:
                    yield Edit(
                        id=f"{'square' if name == 'v' else 'average' if name == 'm' else name}-lagging{suffix}",
                        kind=f"lagging {name}",
                        text=f"the step uses {name} ({key}) of the step before{but}: it is advanced after it was used",
                        right="; ".join(self.paper.line(self.program.lines[i]) for i in sorted(lines)),
                        lines=lines,
                    )

    def _narrow(self) -> Iterator[Edit]:
        """What is kept is rounded to a format of fewer digits after each step."""
        for key, name in self.program.kept.items():
            i = self._made(name)
            for format in FORMATS if i is not None and name in self.program.tensors else ():
                assert i is not None
                value, kept = self.trees[i].value, words_of(f"precision-{format}-state").text  # type: ignore[attr-defined]
                yield Edit(
                    id=f"precision-{format}-state",
                    kind="kept",
                    text=f"{kept}: {name} ({key}) is rounded to that after each step",
                    right=f"keep {key} in the format of the weights",
                    lines={i: self._with(i, value, f"rounded({ast.unparse(value)}, '{format}')")},
                )
            for format in FORMATS:
                lines = {}
                for j, tree in enumerate(self.trees):
                    reads = [
                        n
                        for n in expressions(tree)
                        if ast.unparse(n).startswith((f"state.get('{key}'", f"state['{key}']"))
                    ]
                    if reads:
                        lines[j] = self._with(j, reads, f"rounded({ast.unparse(reads[0])}, '{format}')")
                if lines:
                    kept = words_of(f"precision-{format}-state").text
                    yield Edit(
                        id=f"precision-{format}-state",
                        kind="kept",
                        text=f"{kept}: the step uses {name} ({key}) unrounded, the next one rounded",
                        right=f"keep {key} in the format of the weights",
                        lines=lines,
                    )
