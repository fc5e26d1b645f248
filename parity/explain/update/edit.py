"""An edit of a program: what stands in the place of some of its lines, and the words for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parity.explain.update import counts
from parity.explain.update.counts import Place
from parity.explain.update.program import Program
from parity.explain.update.render import Renderer
from parity.explain.update.rewrite import expressions, parsed, replaced
from parity.explain.words import raw_words


@dataclass(frozen=True, kw_only=True)
class Edit:
    """``text``: what was done; of a line, without what is executed and what was asked, which :meth:`told` adds.
    ``lines``: what stands in the place of some lines. ``counts``: names of counters in them, with what they count
    from step to step at a place. ``made``: the
    optimizers that were made of it, each once."""

    id: str
    kind: str
    text: str
    right: str
    lines: Mapping[int, str]
    counts: Mapping[str, counts.Count] = field(default_factory=dict)
    made: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def of(self, program: Program, place: Place) -> Any:
        """The optimizer that runs the edited program."""
        names = {name: tuple(int(t) for t in count.of(place)) for name, count in self.counts.items()}
        key = (id(program), *names.values())  # the program is kept, so that no other gets its id
        if key not in self.made:
            self.made[key] = program, program.edited(self.lines, names)
        return self.made[key][1]

    def key(self, program: Program) -> tuple[str, ...]:
        """A key that is the same in every program that has the lines."""
        pairs = (f"{program.lines[i]}\n{line}" for i, line in sorted(self.lines.items()))
        return (self.id, *pairs) if self.id.startswith("line-") else (self.id, self.text)

    def told(self, program: Program) -> tuple[str, str]:
        """The words for what was done, and for what was asked."""
        paper = Renderer(program.kept)
        if not self.id.startswith("line-"):
            return self.text, f"{raw_words(self.id).change}; as asked: {self.right}"
        text = re.sub("‹(\\d+)›", lambda i: paper.line(program.lines[int(i[1])]), self.text)
        asked = "; ".join(paper.line(program.lines[i]) for i in sorted(self.lines))
        if text != self.text:
            return text, f"as asked: {asked}"
        executed = "; ".join(paper.line(part) for _, line in sorted(self.lines.items()) for part in line.split("\n"))
        if executed == asked:  # what is kept is another thing
            return paper.text(self.text), "keep what the reference keeps"
        return f"{paper.text(self.text)} (executed: {executed}; asked: {asked})", f"as asked: {asked}"


class Editor:
    """One program, of which the edits are made."""

    def __init__(self, program: Program) -> None:
        self.program, self.trees = program, program.trees
        self.parts = [list(expressions(tree)) for tree in self.trees]
        self.paper = Renderer(program.kept)

    def _with(self, i: int, node: ast.AST | Sequence[ast.AST], source: str) -> str:
        """A line with another expression in the place of one of its own."""
        return replaced(self.trees[i], node, parsed(source))

    def _made(self, name: str) -> int | None:
        """The last line that computes a name."""
        indices = [i for i, line in enumerate(self.program.lines) if line.startswith(f"{name} = ")]
        return indices[-1] if indices else None
