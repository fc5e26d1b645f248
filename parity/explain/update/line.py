"""The edits that any line of a program allows: what people do to formulas.

A factor, a term or a function is missing; a function is there that should not be; another quantity, or that of the step
before, stands in the place of one; a line is not executed, or too late; what is kept of a step, or what it starts with,
is another thing; a result is written into the tensor that it was computed from.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import combinations

from parity.explain.update.edit import Edit, Editor
from parity.explain.update.program import Program
from parity.explain.update.rewrite import bind, expressions, matched, parsed, replaced, same

WRAPS = {
    "sqrt": "np.sqrt(X)",
    "square": "X * X",
    "absolute": "np.abs(X)",
    "sign": "np.sign(X)",
    "negative": "-X",
    "unit": "unit(X)",
    "centred": "X - average(X)",
    "sum": "total(X)",
    "mean": "average(X)",
    "largest": "largest(X)",
    "rate": "self.lr * X",
}
"""Functions that a tensor may go through where it should not."""
SECOND = {
    ast.Mult: "factor",
    ast.Div: "divisor",
    ast.FloorDiv: "divisor",
    ast.Add: "term",
    ast.Sub: "term",
    ast.Pow: "power",
}
"""The name of the second operand of each operator."""


@lru_cache(maxsize=128)
def line_edits(program: Program) -> tuple[Edit, ...]:
    """The edits that any line allows, each source once."""
    return tuple(Lines(program).edits())


class Lines(Editor):
    """The edits that a mistake may have made in each line."""

    def edits(self) -> Iterator[Edit]:
        """All edits, those of several lines first."""
        seen = set(self.program.lines)
        yield from self._of_order()
        yield from self._in_place()
        for i, tree in enumerate(self.trees):
            for name, line, text in self._of_line(i, tree):
                if line not in seen:
                    seen.add(line)
                    yield self._plain(name, {i: line}, text)

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
            if self._is_tensor(node) and _is_small(node):
                for name, wrap in WRAPS.items():
                    new = ast.unparse(bind(wrap, {"X": node}))
                    yield name, self._with(i, node, new), _stands(new, node)
        if isinstance(tree, ast.Assign) and self._is_tensor(tree.value) and not _is_small(tree.value):
            new = f"self.lr * ({ast.unparse(tree.value)})"
            yield "rate", self._with(i, tree.value, new), "the factor «self.lr» is there, where it should not be"

    def _missing(self, i: int, node: ast.expr) -> Iterator[tuple[str, str, str]]:
        """One side of an operator is missing, or the operator is another one."""
        match node:
            case ast.BinOp(left, op, right):
                what = SECOND[type(op)]
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
            case ast.Compare(left, [op], [ast.Constant(int(asked))]):
                for limit in (asked - 1, asked + 1):
                    than = ast.Compare(left, [op], [ast.Constant(limit)])
                    yield "limit", self._with(i, node, ast.unparse(than)), _stands(than, node)
            case ast.IfExp(_, body, orelse):
                for arm in (body, orelse):
                    always = ast.unparse(arm).replace("state['", "state.get('").replace("']", "', 0)")
                    yield "missing", self._with(i, node, always), f"«{always}» in every step"

    def _started(self, i: int, node: ast.expr) -> Iterator[tuple[str, str, str]]:
        """A tensor of the state starts with another value."""
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
            raw = () if self.program.lines.count("g = grad") and self._made("g") == 0 else ("grad",)
            others = [name for name in (*raw, "g", "param", *self._before(i)) if name != source]
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
                    yield self._plain("late", moved, f"‹{i}› is executed after ‹{j}›")
        yield from self._exchanged()
        yield from self._kept()

    def _exchanged(self) -> Iterator[Edit]:
        """Two corrections 1 − x, which are numbers, stand in the place of one another."""
        corrections: dict[str, tuple[int, ast.expr]] = {}
        for i, tree in enumerate(self.trees):
            for node in expressions(tree):
                if matched("1 - X", node) is not None and not self._is_tensor(node):
                    corrections.setdefault(ast.unparse(node), (i, node))
        for (one, (i, node)), (other, (j, its)) in combinations(corrections.items(), 2):
            if i != j and "self" not in one + other:
                lines = {i: self._with(i, node, other), j: self._with(j, its, one)}
                yield self._plain("exchanged", lines, f"«{one}» and «{other}» are exchanged")

    def _kept(self) -> Iterator[Edit]:
        """The state keeps another tensor under a key, or an expression in which it stands."""
        for i, tree in enumerate(self.trees):
            for node in (n for n in ast.walk(tree) if isinstance(n, ast.Dict)):
                for key, value in zip(node.keys, node.values, strict=True):
                    if not isinstance(key, ast.Constant) or key.value == "step" or not self._is_tensor(value):
                        continue
                    for other in (*self._before(i), *self._parts_with(ast.unparse(value), i)):
                        if other != ast.unparse(value):
                            line = self._with(i, value, other)
                            text = f"what is kept as {key.value!s} is «{other}», not {_source(value)}"
                            yield self._plain("kept", {i: line}, text)

    def _parts_with(self, name: str, i: int) -> list[str]:
        """Tensor expressions of the lines before in which a name stands."""
        parts = [n for tree in self.trees[:i] for n in expressions(tree) if not isinstance(n, ast.Name)]
        return list(dict.fromkeys(ast.unparse(n) for n in parts if self._is_tensor(n) and _holds(n, name)))

    def _in_place(self) -> Iterator[Edit]:
        """A result is written into the tensor, or the number η, that it was computed from; what follows uses that."""
        for i, tree in enumerate(self.trees):
            for node in expressions(tree):
                if isinstance(node, ast.Name | ast.Constant | ast.Attribute):
                    continue
                if self._is_tensor(node) and self._is_computed(node):
                    yield from self._overwritten(i, tree, node)
                elif _holds(node, "self.lr") and isinstance(node, ast.BinOp) and not self._is_tensor(node):
                    yield from self._rate_overwritten(node)

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
                text = f"{_source(node)} is written into {key} in place: what follows goes on with that"
                yield self._plain("in-place", lines, text)

    def _kept_line(self, key: str) -> int | None:
        return next(
            (i for i, line in enumerate(self.program.lines) if f"'{key}':" in line or f"['{key}'] =" in line), None
        )

    def _stored(self, key: str, name: str, lines: Mapping[int, str]) -> str:
        """The last line, which keeps something else under a key."""
        last = len(self.trees) - 1
        *before, returned = lines.get(last, self.program.lines[last]).split("\n")
        moved, after = parsed(returned).value.elts
        kept = f"return {ast.unparse(moved)}, {{**({ast.unparse(after)}), '{key}': {name}}}"
        return "\n".join([*before, kept])

    def _rate_overwritten(self, node: ast.expr) -> Iterator[Edit]:
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


def _source(node: ast.AST | str) -> str:
    """An expression in a text, which is written as on paper when it is read."""
    return f"«{node if isinstance(node, str) else ast.unparse(node)}»"


def _stands(new: ast.AST | str, node: ast.AST) -> str:
    return f"{_source(new)} stands for {_source(node)}"


def _is_small(node: ast.expr) -> bool:
    """A quantity, or an operator between two."""
    leaf = (ast.Name, ast.Attribute, ast.Call, ast.Constant)
    return isinstance(node, leaf) or (
        isinstance(node, ast.BinOp) and isinstance(node.left, leaf) and isinstance(node.right, leaf)
    )


def _holds(node: ast.AST, source: str) -> bool:
    """Whether an expression is part of another one."""
    return any(isinstance(each, ast.expr) and ast.unparse(each) == source for each in ast.walk(node))
