"""Patterns of expressions: a name of one capital letter stands for any expression, the same one wherever it stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

ANY = re.compile(r"[A-Z]$")
OPAQUE = ("state.get", "count_step", "item", "kept", "rounded")
"""Calls whose arguments are no quantities of their own."""


@cache
def parsed(source: str) -> Any:
    """The tree of an expression or of a statement, which is not to be changed."""
    statement = ast.parse(source).body[0]
    return statement.value if isinstance(statement, ast.Expr) else statement


def matched(pattern: str, node: ast.AST, known: Mapping[str, ast.expr] | None = None) -> dict[str, ast.expr] | None:
    """What each capital letter stands for, some of which may be ``known``; None where the node has not this form."""
    letters = dict(known or {})
    return letters if _match(parsed(pattern), node, letters) else None


def _match(pattern: Any, node: Any, letters: dict[str, ast.expr]) -> bool:
    if isinstance(pattern, ast.Name) and ANY.match(pattern.id):
        known = letters.setdefault(pattern.id, node)
        return isinstance(node, ast.expr) and (known is node or same(known, node))
    if type(pattern) is not type(node):
        return False
    if isinstance(pattern, ast.AST):
        names = [name for name in pattern._fields if name not in ("ctx", "type_comment", "kind")]
        return all(_match(getattr(pattern, name), getattr(node, name), letters) for name in names)
    if isinstance(pattern, list):
        return len(pattern) == len(node) and all(_match(a, b, letters) for a, b in zip(pattern, node, strict=True))
    return bool(pattern == node)


def same(one: ast.AST, other: ast.AST) -> bool:
    """Whether two expressions are written alike."""
    return ast.unparse(one) == ast.unparse(other)


def bind(pattern: str, letters: Mapping[str, ast.expr]) -> Any:
    """The pattern with what the letters stand for."""

    class Bound(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            letter = isinstance(node, ast.Name) and ANY.match(node.id)
            return letters[node.id] if letter and isinstance(node, ast.Name) else _rebuilt(self, node)

    return Bound().visit(parsed(pattern))


def expressions(statement: ast.AST, *, kept: bool = True) -> Iterator[ast.expr]:
    """Every expression of a statement that stands for a quantity, the outer ones first; ``kept``: with what is kept."""
    waiting = [statement]
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.expr) and not isinstance(node, ast.Dict | ast.Tuple | ast.Constant):
            yield node
        match node:
            case ast.Assign():
                waiting.append(node.value)
            case ast.Call(func, args) if ast.unparse(func) not in OPAQUE:
                waiting += args
            case ast.Call() | ast.Attribute() | ast.Subscript() | ast.Compare():
                continue
            case ast.IfExp(_, body, orelse):
                waiting += [body, orelse]
            case ast.Dict(_, values):
                waiting += values if kept else []
            case _:
                waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]


def replaced(statement: ast.AST, old: ast.AST | Sequence[ast.AST], new: Any) -> str:
    """The source with ``old``, a node of the statement or several, replaced."""
    olds = [old] if isinstance(old, ast.AST) else old

    class Replaced(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if any(node is each for each in olds) else _rebuilt(self, node)

    return ast.unparse(Replaced().visit(statement))


def _rebuilt(visitor: ast.NodeTransformer, node: ast.AST) -> ast.AST:
    """A node whose children may be others; the original stays as it was."""
    values: dict[str, Any] = {}
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            value = visitor.visit(value)
        elif isinstance(value, list):
            value = [visitor.visit(each) if isinstance(each, ast.AST) else each for each in value]
        values[name] = value
    return ast.copy_location(type(node)(**values), node)
