"""The update of a reference optimizer as a short program, of which each line can be edited.

The program is the reference's own ``step``, read from its source, so that every formula stands once. What the options
decide is decided, and the branches that they exclude are gone. Two lines get the same form in all references::

    decayed = param * (1 - self.lr * self.weight_decay)          direction = …
                                                                 return decayed - self.lr * direction, after

An edited program is an optimizer again, which runs in every arithmetic.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from parity.explain.update.helpers import HELPERS
from parity.explain.update.rewrite import bind, matched
from refimpl.stepping import is_zero
from refimpl.types import Array, Joint, State

DECAYED = ast.parse("param * (1 - self.lr * self.weight_decay)", mode="eval").body
LAST = (
    ("P - R / C * M / D", "M / C / D", "P - R * direction"),
    ("P - R * G / D", "G / D", "P - R * direction"),
    ("P - R * D", "D", "P - R * direction"),
)
"""Forms of what a step returns: what of it is the direction, and what is left then."""


class CannotRun(Exception):
    """An edited program asks for what is not there."""


@dataclass(frozen=True, eq=False)
class Program:
    """``lines`` of the step of ``asked``, a statement each. Programs are equal that have the same lines, whatever the
    numbers are."""

    asked: Any
    lines: tuple[str, ...]
    names: Mapping[str, Any] = field(default_factory=dict)
    """Names that the lines use beside numpy, those of the reference's own module and :data:`HELPERS`."""

    def _same(self) -> tuple[Any, ...]:
        return type(self.asked).__name__, self.lines, tuple(self.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self._same() == other._same()

    def __hash__(self) -> int:
        return hash(self._same())

    @classmethod
    def of(cls, optimizer: Any) -> Program | None:
        """The program of a reference; None where it has none that can be read, or that is of one parameter alone."""
        kind: Any = type(optimizer)
        if not is_dataclass(kind) or not hasattr(kind, "step") or isinstance(optimizer, Joint):
            return None
        known: Program | None = getattr(optimizer, "program", None)
        if known is not None:
            return known
        try:
            tree = ast.parse(_source(kind.step))
        except (OSError, TypeError):
            return None
        assert isinstance(tree.body[0], ast.FunctionDef)
        statements = list(_simple(tree.body[0].body, _globals(optimizer) | {"self": optimizer}))
        statements = list(_without_aliases(statements))
        last = statements[-1] if statements else None
        if not isinstance(last, ast.Return) or not isinstance(last.value, ast.Tuple):
            return None
        program = cls(optimizer, tuple(_named_gradient([ast.unparse(each) for each in _alike(statements)])))
        try:
            return program if program.tensors else None
        except Exception:  # such as Muon, which takes no vectors
            return None

    @cached_property
    def trees(self) -> tuple[ast.stmt, ...]:
        """The lines, parsed."""
        return tuple(ast.parse(f"def f():\n{textwrap.indent(line, ' ')}").body[0].body[0] for line in self.lines)  # type: ignore[attr-defined]

    @cached_property
    def kept(self) -> dict[str, str]:
        """The name of what is kept under each key of the state, as it is called where it is computed."""
        names: dict[Any, str] = {}
        for tree in self.trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.Dict):
                    pairs = zip(node.keys, node.values, strict=True)
                    names |= {k.value: ast.unparse(v) for k, v in pairs if isinstance(k, ast.Constant)}
            if isinstance(tree, ast.Assign) and isinstance(tree.targets[0], ast.Subscript):
                names[ast.literal_eval(tree.targets[0].slice)] = ast.unparse(tree.value)
        return {str(key): name for key, name in names.items() if key != "step"}

    @cached_property
    def tensors(self) -> frozenset[str]:
        """The names that stand for arrays of the parameter's shape, found out by a step."""
        param = np.array([[1.5, -2.0]])
        body = [*self.lines[:-1], self.lines[-1].replace("return ", "returned = ", 1), "return locals()"]
        state: State = self.asked.init(param)
        run = _compiled(body, _globals(self.asked) | dict(self.names))
        with np.errstate(all="ignore"):
            names = run(self.asked, param, param / 2, state, param, param, 0)
        return frozenset(
            n for n, value in names.items() if isinstance(value, np.ndarray) and value.shape == param.shape
        )

    def edited(self, lines: Mapping[int, str], names: Mapping[str, Any] | None = None) -> Any:
        """The optimizer that runs the program with these lines in the place of its own."""
        changed = tuple(lines.get(i, line) for i, line in enumerate(self.lines))
        return Program(self.asked, changed, {**self.names, **(names or {})}).optimizer

    @cached_property
    def optimizer(self) -> Any:
        """An optimizer with the numbers of ``asked`` that runs the lines."""
        run = _compiled(self.lines, _globals(self.asked) | dict(self.names))

        def init(this: Any, param: Array) -> State:
            made = np.zeros(len(param), int)
            return {**type(self.asked).init(this, param), "start": param, "steps made": made}

        def step(this: Any, param: Array, grad: Array, state: State) -> tuple[Array, State]:
            start, made = state["start"], state["steps made"]
            previous = state.get("previous gradient", 0 * grad)
            try:
                moved, after = run(this, param, grad, state, start, previous, int(made.flat[0]))
            except (TypeError, ValueError, AttributeError, NameError, LookupError, ArithmeticError) as error:
                raise CannotRun from error
            if getattr(moved, "shape", None) != param.shape or not isinstance(after, dict):
                raise CannotRun
            return moved, {**after, "start": start, "steps made": made + 1, "previous gradient": grad}

        kind = type(self.asked)
        made = type(
            kind.__name__, (kind,), {"init": init, "step": step, "program": self, "__module__": kind.__module__}
        )
        optimizer: Any = object.__new__(made)
        for name, value in vars(self.asked).items():
            object.__setattr__(optimizer, name, value)
        return optimizer


@lru_cache(maxsize=64)
def _source(function: Any) -> str:
    return textwrap.dedent(inspect.getsource(function))


def _globals(optimizer: Any) -> dict[str, Any]:
    """The names that the source of a reference uses, with their values."""
    own = {"is_zero": is_zero, "base": getattr(optimizer, "lr", 1.0)}
    return {**HELPERS, **inspect.getmodule(type(optimizer)).__dict__, **own}


def _compiled(lines: Sequence[str], names: Mapping[str, Any]) -> Callable[..., Any]:
    namespace = dict(names)
    exec(_code(tuple(lines)), namespace)
    step: Callable[..., Any] = namespace["step"]
    return step


@lru_cache(maxsize=1024)
def _code(lines: tuple[str, ...]) -> Any:
    """The code of the lines, which may be run with other names, such as counters."""
    body = textwrap.indent("\n".join(lines), " ")
    return compile(f"def step(self, param, grad, state, start, previous, k):\n{body}\n", "<update>", "exec")


# -- one form ----------------------------------------------------------------------------------------------------------


class _Folded(ast.NodeTransformer):
    """Expressions ``a if test else b`` whose test is known."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self.known = known

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        value = _value(node.test, self.known)
        return node if value is None else node.body if value else node.orelse


def _value(test: ast.expr, known: Mapping[str, Any]) -> bool | None:
    """Evaluate the condition of a branch; None where its value is known in a step only."""
    try:
        return bool(eval(compile(ast.Expression(test), "<test>", "eval"), dict(known)))
    except NameError:
        return None


def _simple(body: Sequence[ast.stmt], known: dict[str, Any]) -> Iterator[ast.stmt]:
    """The statements that are executed, one assignment each."""
    for statement in body:
        if isinstance(statement, ast.If) and (value := _value(statement.test, known)) is not None:
            chosen = list(_simple(statement.body if value else statement.orelse, known))
            yield from chosen
            if chosen and isinstance(chosen[-1], ast.Return):
                return
            continue
        folded: ast.stmt = ast.fix_missing_locations(_Folded(known).visit(statement))
        if isinstance(folded, ast.If) and len(folded.body) == len(folded.orelse) == 1:
            ours, theirs = folded.body[0], folded.orelse[0]
            if isinstance(ours, ast.Assign) and isinstance(theirs, ast.Assign):
                yield ast.Assign(ours.targets, ast.IfExp(folded.test, ours.value, theirs.value), lineno=0)
                continue
        if isinstance(folded, ast.Assign) and isinstance(folded.targets[0], ast.Name):
            value = _value(folded.value, {k: v for k, v in known.items() if k in ("self", "is_zero")})
            if isinstance(folded.value, ast.UnaryOp | ast.BoolOp) and value is not None:
                known[folded.targets[0].id] = value
        yield from _split(folded)


def _split(statement: ast.stmt) -> Iterator[ast.stmt]:
    """``a, b = x, y`` in two, where y does not need a."""
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple):
        targets, values = statement.targets[0].elts, statement.value
        if isinstance(values, ast.Tuple):
            yield from (ast.Assign([t], v, lineno=0) for t, v in zip(targets, values.elts, strict=True))
            return
    yield statement


class _Inlined(ast.NodeTransformer):
    """Names in the place of which an expression stands."""

    def __init__(self, known: Mapping[str, ast.expr]) -> None:
        self.known = known

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.known[node.id] if node.id in self.known and isinstance(node.ctx, ast.Load) else node


def _without_aliases(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """``m = state.get(…)`` is not a line of its own: what is kept is called so where it is used."""
    known: dict[str, ast.expr] = {}
    for statement in statements:
        inlined: ast.stmt = _Inlined(dict(known)).visit(statement)
        targets = inlined.targets if isinstance(inlined, ast.Assign) else []
        for name in [target.id for target in targets if isinstance(target, ast.Name)]:
            known.pop(name, None)
            if ast.unparse(inlined.value).startswith("state.get(") and isinstance(inlined.value, ast.Call):  # type: ignore[attr-defined]
                known[name] = inlined.value  # type: ignore[attr-defined]
                break
        else:
            yield inlined


class _Renamed(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name("decayed", node.ctx) if node.id == "param" else node


def _alike(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The decayed weights and the direction get names of their own."""
    decayed = False
    for statement in statements[:-1]:
        is_decay = isinstance(statement, ast.Assign) and ast.unparse(statement) == f"param = {ast.unparse(DECAYED)}"
        if is_decay:
            decayed = True
            yield ast.Assign([ast.Name("decayed", ast.Store())], DECAYED, lineno=0)
        else:
            yield _Renamed().visit(statement) if decayed else statement
    last: Any = _Renamed().visit(statements[-1]) if decayed else statements[-1]
    moved, after = last.value.elts
    for pattern, direction, rest in LAST:
        letters = matched(pattern, moved)
        if letters is not None and ast.unparse(letters["R"]) in ("self.lr", "lr", "rate"):
            if ast.unparse(bind(direction, letters)) == "direction":
                break
            yield ast.Assign([ast.Name("direction", ast.Store())], bind(direction, letters), lineno=0)
            moved = bind(rest, letters)
            break
    if isinstance(after, ast.Dict):
        for i, (key, value) in enumerate(zip(after.keys, after.values, strict=True)):
            if isinstance(value, ast.BinOp) and isinstance(key, ast.Constant):
                yield ast.Assign([ast.Name(str(key.value), ast.Store())], value, lineno=0)
                after.values[i] = ast.Name(str(key.value), ast.Load())
    yield ast.Return(ast.Tuple([moved, after], ast.Load()))


def _named_gradient(lines: list[str]) -> list[str]:
    """The gradient that is used is called g in all references."""
    if any(line.startswith("g = ") for line in lines):
        return lines
    return ["g = grad", *(re.sub(r"\bgrad\b", "g", line) for line in lines)]
