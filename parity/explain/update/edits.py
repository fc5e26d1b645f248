"""Every program that differs from the asked one in an edit: those with a name, and those that any line allows.

What any line allows is what people do to formulas: a factor, a term or a function is missing; a function is there that
should not be; another quantity, or that of the step before, stands in the place of one; a line is not executed, twice,
or at another place; what is kept of a step, or what it starts with, is another thing; a result is written into the
tensor that it was computed from.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from parity.explain.update import counts
from parity.explain.update.counts import Place
from parity.explain.update.program import Program
from parity.explain.update.render import Renderer
from parity.explain.update.rewrite import bind, expressions, matched, parsed, replaced, same
from parity.explain.update.vocabulary import VOCABULARY, Wording

WRAPS = {"sqrt": "np.sqrt(X)", "square": "X * X", "absolute": "np.abs(X)", "sign": "np.sign(X)", "negative": "-X",
         "unit": "unit(X)", "centred": "X - average(X)", "sum": "total(X)", "mean": "average(X)", "largest": "largest(X)",
         "rate": "self.lr * X"}  # fmt: skip
"""Functions that a tensor may go through where it should not."""
FORMATS = ("bfloat16", "float16", "float32")
COUNTED = "1 - B ** t"


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
        key = (id(program), *names.values())
        if key not in self.made:
            self.made[key] = program, program.edited(self.lines, names)
        return self.made[key][1]

    def key(self, program: Program) -> tuple[str, ...]:
        """What is the same in every program that has the lines."""
        pairs = (f"{program.lines[i]}\n{line}" for i, line in sorted(self.lines.items()))
        return (self.id, *pairs) if self.id.startswith("line-") else (self.id, self.text)

    def told(self, program: Program) -> tuple[str, str]:
        """What was done, and what was asked."""
        paper = Renderer(program.kept)
        if not self.id.startswith("line-"):
            return self.text, f"as asked: {self.right}"
        asked = "; ".join(paper.line(program.lines[i]) for i in sorted(self.lines))
        executed = "; ".join(paper.line(part) for _, line in sorted(self.lines.items()) for part in line.split("\n"))
        told = f" (executed: {executed}; asked: {asked})" if executed != asked else f" (in: {asked})"
        return f"{paper.text(self.text)}{told}", f"as asked: {asked}"

    def beside(self, other: Edit) -> Edit | None:
        """Both at once; None where they change the same lines or exclude one another."""
        if self.kind == other.kind or set(self.lines) & set(other.lines):
            return None
        return replace(
            self,
            id=f"{self.id}+{other.id}",
            kind=f"{self.kind}+{other.kind}",
            lines={**self.lines, **other.lines},
            counts={**self.counts, **other.counts},
            made={},
        )


class Editor:
    """The edits of one program."""

    def __init__(self, program: Program) -> None:
        self.program, self.trees = program, program.trees
        self.paper = Renderer(program.kept)

    def named(self, epochs: bool = False) -> Iterator[Edit]:
        """Those that have words of their own. ``epochs``: whether the run has several."""
        for wording in VOCABULARY:
            yield from self._worded(wording)
        yield from self._counted(epochs)
        yield from self._lagging()
        yield from self._narrow()

    def every(self) -> Iterator[Edit]:
        """Those that any line allows, each source once."""
        seen = set(self.program.lines)
        yield from self._of_order()
        yield from self._in_place()
        for i, tree in enumerate(self.trees):
            for name, line, text in self._of_line(i, tree):
                if line not in seen:
                    seen.add(line)
                    yield self._plain(name, {i: line}, text)

    # -- with a name ---------------------------------------------------------------------------------------------------

    def _worded(self, wording: Wording) -> Iterator[Edit]:
        """One edit for each place of the first pattern; the others must be found, too."""
        pattern, other = wording.changes[0]
        for i in range(len(self.trees)):
            known = self._at(i, pattern, {})
            if known is None:
                continue
            places, lines = [(i, pattern, other)], {}
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
                    right = "; ".join(self.paper.line(self.program.lines[j]) for j in sorted(lines))
                    yield Edit(id=wording.id, kind=wording.kind, text=wording.text, right=right, lines=lines)

    def _at(self, i: int, pattern: str, known: Mapping[str, ast.expr]) -> dict[str, ast.expr] | None:
        """What the letters stand for where a line, or the first expression in it, has the form of a pattern."""
        if isinstance(parsed(pattern), ast.stmt):
            return matched(pattern, self.trees[i], known)
        found = (matched(pattern, node, known) for node in expressions(self.trees[i]))
        return next((each for each in found if each is not None), None)

    def _rewritten(self, source: str, pattern: str, other: str, known: Mapping[str, ast.expr]) -> str:
        new = bind(other, known)
        if isinstance(parsed(pattern), ast.stmt):
            return ast.unparse(new)
        tree = parsed(source)
        return replaced(tree, next(n for n in expressions(tree) if matched(pattern, n, known) is not None), new)

    def _counted(self, epochs: bool) -> Iterator[Edit]:
        """The counter of the bias corrections 1 − βᵗ counts something else, or the β is another one."""
        places = [
            (i, node, ast.unparse(found["B"]))
            for i, tree in enumerate(self.trees)
            for node in expressions(tree)
            if (found := matched(COUNTED, node)) is not None
        ]
        if not places:
            return
        betas = list(dict.fromkeys(beta for _, _, beta in places))
        right = "the correction uses t = 1, 2, 3, … steps of this parameter"
        for name, count in counts.TABLE.items():
            of = [beta for beta in betas if not count.only or (len(betas) > 1 and beta == betas["mv".index(count.only)])]
            if not of or (name == "epochs" and not epochs):
                continue
            lines = {i: self._with(i, n, f"corrected({b}, counter[k], param)") for i, n, b in places if b in of}
            id = CORRECTIONS.get(name, f"correction-{name}")
            yield Edit(id=id, kind="correction", text=count.text, right=right, lines=lines, counts={"counter": count})
        for name, text in counts.CROSSED.items() if betas == ["beta1", "beta2"] else ():
            crossed = {"beta1": "beta2" if "m" in name else "beta1", "beta2": "beta1" if "v" in name else "beta2"}
            lines = {i: self._with(i, n, f"1 - {crossed[b]} ** t") for i, n, b in places}
            right = "m is divided by 1 − β₁ᵗ and v by 1 − β₂ᵗ"
            yield Edit(id=f"correction-crossed-{name}", kind="correction", text=text, right=right, lines=lines)

    def _lagging(self) -> Iterator[Edit]:
        """What was kept of the step before is used, and what the step makes of it is for the next one."""
        for key, name in self.program.kept.items():
            made = self._made(name) if name in self.program.tensors else None
            uses = [
                (i, [n for n in expressions(tree) if ast.unparse(n) == name])
                for i, tree in enumerate(self.trees)
                if made is not None and i > made and "after" not in ast.unparse(tree)[:5]
            ]
            for suffix, start, but in (("", f"0 * {name}", ""), ("-but-first", name, ", but for the first step")):
                lines = {i: self._with(i, nodes, f"state.get('{key}', {start})") for i, nodes in uses if nodes}
                if lines:
                    yield Edit(
                        id=f"{'square' if name == 'v' else 'average' if name == 'm' else name}-lagging{suffix}",
                        kind=f"lagging {name}",
                        text=f"the step uses {name} ({key}) of the step before{but}: {name} is advanced after it was used",
                        right="; ".join(self.paper.line(self.program.lines[i]) for i in sorted(lines)),
                        lines=lines,
                    )

    def _narrow(self) -> Iterator[Edit]:
        """What is kept is rounded to a format of fewer digits after each step."""
        for key, name in self.program.kept.items():
            i = self._made(name)
            for format in FORMATS if i is not None and name in self.program.tensors else ():
                assert i is not None
                value = self.trees[i].value  # type: ignore[attr-defined]
                yield Edit(
                    id=f"kept-{format}-{name}",
                    kind="kept",
                    text=f"{name} ({key}) is kept in {format}: it is rounded to that after each step",
                    right=f"keep {key} in the format of the weights",
                    lines={i: self._with(i, value, f"rounded({ast.unparse(value)}, '{format}')")},
                )

    def _made(self, name: str) -> int | None:
        """The last line that computes a name."""
        found = [i for i, line in enumerate(self.program.lines) if line.startswith(f"{name} = ")]
        return found[-1] if found else None

    def _with(self, i: int, node: ast.AST | Sequence[ast.AST], source: str) -> str:
        """A line with another expression in the place of one of its own."""
        return replaced(self.trees[i], node, parsed(source))

    # -- of any line ---------------------------------------------------------------------------------------------------

    def _plain(self, name: str, lines: Mapping[int, str], text: str) -> Edit:
        """An edit that is told by what is executed. ``text``: with expressions between ``«`` and ``»``."""
        return Edit(id=f"line-{name}", kind=f"line {min(lines)}", text=text, right="", lines=lines)

    def _of_line(self, i: int, tree: ast.stmt) -> Iterator[tuple[str, str, str]]:
        """What the edit is called, the line in the place of the ``i``-th one, and what was done."""
        if not isinstance(tree, ast.Assign | ast.Return) or isinstance(getattr(tree, "value", None), ast.Attribute):
            return
        parts = [node for node in expressions(tree) if self._is_computed(node)]
        for node in parts:
            yield from self._missing(i, node)
        for node in parts:
            yield from self._started(i, node)
        for node in parts:
            yield from self._another(i, node, tree)
        for node in parts:
            if self._is_tensor(node):
                for name, wrap in WRAPS.items():
                    new = ast.unparse(bind(wrap, {"X": node}))
                    yield name, self._with(i, node, new), _stands(new, node)

    def _missing(self, i: int, node: ast.expr) -> Iterator[tuple[str, str, str]]:
        """One side of an operator is missing, or the operator is another one."""
        match node:
            case ast.BinOp(left, op, right):
                word = {ast.Mult: "factor", ast.Div: "divisor", ast.Add: "term", ast.Sub: "term", ast.Pow: "power"}
                what = word[type(op)]
                yield "missing", self._with(i, node, ast.unparse(left)), f"the {what} {_source(right)} is missing"
                if isinstance(op, ast.Mult | ast.Add):
                    yield "missing", self._with(i, node, ast.unparse(right)), f"the {what} {_source(left)} is missing"
                other = {ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Add: ast.Sub, ast.Sub: ast.Add}.get(type(op))
                if other is not None:
                    new = ast.BinOp(left, other(), right)
                    yield "operator", self._with(i, node, ast.unparse(new)), _stands(new, node)
            case ast.UnaryOp(ast.USub(), operand):
                yield "sign", self._with(i, node, ast.unparse(operand)), "the sign is missing"
            case ast.Call(func, args) if ast.unparse(func) in ("np.sqrt", "np.sign", "np.abs"):
                yield "missing", self._with(i, node, ast.unparse(args[0])), _stands(args[0], node)
            case ast.Call(func, args) if ast.unparse(func) in ("np.maximum", "np.minimum", "np.where"):
                for arg in args[-2:]:
                    yield "missing", self._with(i, node, ast.unparse(arg)), _stands(arg, node)
            case ast.IfExp(_, body, orelse):
                for arm in (body, orelse):
                    new = ast.unparse(arm).replace("state['", "state.get('").replace("']", "', 0)")
                    yield "missing", self._with(i, node, new), f"«{new}» in every step"

    def _started(self, i: int, node: ast.expr) -> Iterator[tuple[str, str, str]]:
        """What is kept starts with another thing."""
        for key in self.program.kept:
            pattern = f"state.get('{key}', A)"
            if matched(pattern, node) is None:
                continue
            for start in ("1", "g", "g * g", "param", "self.eps", "np.abs(g)"):
                line = self._with(i, node, f"state.get('{key}', {start} + 0 * g)")
                yield "start", line, f"{self.program.kept[key]} ({key}) starts with «{start}»"

    def _another(self, i: int, node: ast.expr, tree: ast.stmt) -> Iterator[tuple[str, str, str]]:
        """Another quantity, or that of the step before, in the place of one: here, or everywhere in the line."""
        if not isinstance(node, ast.Name | ast.Attribute):
            return
        source = ast.unparse(node)
        every = [each for each in expressions(tree) if same(each, node)]
        others: list[str] = []
        if source in self.program.tensors:
            others = [name for name in ("grad", "g", "param", *self._before(i)) if name != source]
            others += [f"state.get('{key}', 0)" for key, name in self.program.kept.items() if name.isidentifier()]
            others += [f"state.get('{key}', {source})" for key, name in self.program.kept.items() if name == source]
        elif source in ("beta1", "beta2"):
            others = ["beta2" if source == "beta1" else "beta1"]
        elif source == "t":
            others = ["(t + 1)", "(t - 1)", "1"]
        elif matched("self.F", node) is None and i:
            others = [n for n in self._numbers(i) if n != source]
        for other in others:
            for nodes in ([node], every) if len(every) > 1 else ([node],):
                yield "another", self._with(i, nodes, other), _stands(other, node)

    def _before(self, i: int) -> list[str]:
        """Tensors that are computed before a line."""
        names = [line.split(" = ")[0] for line in self.program.lines[:i]]
        return [name for name in dict.fromkeys(names) if name in self.program.tensors]

    def _numbers(self, i: int) -> list[str]:
        """Numbers that are computed before a line."""
        names = [line.split(" = ")[0] for line in self.program.lines[:i]]
        left_out = {"after", "count", "t", "g", *self.program.tensors}
        return [name for name in dict.fromkeys(names) if name.isidentifier() and name not in left_out]

    def _of_order(self) -> Iterator[Edit]:
        """A line is left out, executed twice, or at another place; what is kept is another tensor."""
        lines = self.program.lines
        for i, tree in enumerate(self.trees[:-1]):
            if not isinstance(tree, ast.Assign) or not isinstance(tree.targets[0], ast.Name | ast.Subscript):
                continue
            name = ast.unparse(tree.targets[0])
            if name in self.program.tensors and any(line.startswith(f"{name} = ") for line in lines[:i]):
                yield self._plain("left-out", {i: "pass"}, f"{name} is not computed so")
            for j in range(i + 1, len(lines) - 1):
                moved = {i: "pass", j: f"{lines[j]}\n{lines[i]}"}
                if name in lines[j]:
                    yield self._plain("late", moved, "a line is executed too late")
        yield from self._kept()

    def _kept(self) -> Iterator[Edit]:
        """What is kept under a key is another tensor, or an expression in which it stands."""
        for i, tree in enumerate(self.trees):
            for node in (n for n in ast.walk(tree) if isinstance(n, ast.Dict)):
                for key, value in zip(node.keys, node.values, strict=True):
                    if not isinstance(key, ast.Constant) or key.value == "step" or not self._is_tensor(value):
                        continue
                    for other in (*self._before(i), *self._parts_with(ast.unparse(value), i)):
                        if other != ast.unparse(value):
                            line = self._with(i, value, other)
                            text = f"what is kept as {key.value} is «{other}», not {_source(value)}"
                            yield self._plain("kept", {i: line}, text)

    def _parts_with(self, name: str, i: int) -> list[str]:
        """Tensor expressions of the lines before in which a name stands."""
        found = [n for tree in self.trees[:i] for n in expressions(tree) if not isinstance(n, ast.Name)]
        return list(dict.fromkeys(ast.unparse(n) for n in found if self._is_tensor(n) and _holds(n, name)))

    def _in_place(self) -> Iterator[Edit]:
        """A result is written into the tensor, or the number η, that it was computed from; what follows uses that."""
        for i, tree in enumerate(self.trees):
            for node in expressions(tree):
                if isinstance(node, ast.Name | ast.Constant | ast.Attribute):
                    continue
                if self._is_tensor(node) and self._is_computed(node):
                    yield from self._overwritten(i, tree, node)
                elif _holds(node, "self.lr") and isinstance(node, ast.BinOp) and not self._is_tensor(node):
                    yield from self._rate_overwritten(i, node)

    def _overwritten(self, i: int, tree: ast.stmt, node: ast.expr) -> Iterator[Edit]:
        """The expression goes back into each kept tensor in it, new or old."""
        for key, name in self.program.kept.items():
            if not name.isidentifier():
                continue
            for inside in (name, f"state.get('{key}', 0)"):
                if not _holds(node, inside) or ast.unparse(tree).startswith(f"{name} = {ast.unparse(node)}"):
                    continue
                lines = {i: f"overwritten = {ast.unparse(node)}\n{self._with(i, node, 'overwritten')}"}
                for j in range(i + 1, len(self.trees)):
                    uses = [n for n in expressions(self.trees[j]) if ast.unparse(n) == inside]
                    if uses:
                        lines[j] = self._with(j, uses, "overwritten")
                kept = self._kept_line(key)
                if kept is not None and kept <= i and inside == name:
                    lines[len(self.trees) - 1] = self._stored(key, "overwritten", lines)
                text = f"{_source(node)} is written into «{inside}» ({key}) in place: what follows goes on with that"
                yield self._plain("in-place", lines, text)

    def _kept_line(self, key: str) -> int | None:
        return next((i for i, line in enumerate(self.program.lines) if f"'{key}':" in line or f"['{key}'] =" in line), None)

    def _stored(self, key: str, name: str, lines: Mapping[int, str]) -> str:
        """The last line, which keeps something else under a key."""
        last = len(self.trees) - 1
        tree = parsed(lines.get(last, self.program.lines[last]))
        moved, after = tree.value.elts
        return f"return {ast.unparse(moved)}, {{**({ast.unparse(after)}), '{key}': {name}}}"

    def _rate_overwritten(self, i: int, node: ast.expr) -> Iterator[Edit]:
        """η becomes what was made of it, and is so in the next step."""
        lines: dict[int, str] = {}
        rate = "state.get('rate', self.lr)"
        for j, tree in enumerate(self.trees):
            uses = [n for n in expressions(tree) if ast.unparse(n) == "self.lr"]
            lines |= {j: self._with(j, uses, rate)} if uses else {}
        new = replaced(node, [n for n in expressions(node) if ast.unparse(n) == "self.lr"], parsed(rate))
        lines[len(self.trees) - 1] = self._stored("rate", new, lines)
        text = f"{_source(node)} is written back into η, so that it compounds from step to step"
        yield self._plain("rate-written-back", lines, text)

    def _is_tensor(self, node: ast.expr) -> bool:
        """Whether an expression has the parameter's shape: a tensor is in it, and not below a sum."""
        return any(
            ast.unparse(each) in self.program.tensors or ast.unparse(each).startswith("state")
            for each in ast.walk(node)
            if isinstance(each, ast.Name | ast.Call)
        ) and not isinstance(node, ast.Compare | ast.Tuple | ast.Dict | ast.Subscript)

    def _is_computed(self, node: ast.expr) -> bool:
        return not isinstance(node, ast.Tuple | ast.Dict | ast.Constant)


CORRECTIONS = {
    "none": "bias-correction-missing-both",
    "none-of-m": "bias-correction-missing-first",
    "none-of-v": "bias-correction-missing-second",
    "lagging": "bias-correction-late",
}


def _source(node: ast.AST | str) -> str:
    """An expression in a text, which is written as on paper when it is read."""
    return f"«{node if isinstance(node, str) else ast.unparse(node)}»"


def _stands(new: ast.AST | str, node: ast.AST) -> str:
    return f"{_source(new)} stands for {_source(node)}"


def _holds(node: ast.AST, source: str) -> bool:
    """Whether an expression is part of another one."""
    return any(isinstance(each, ast.expr) and ast.unparse(each) == source for each in ast.walk(node))
