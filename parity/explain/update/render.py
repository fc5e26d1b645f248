"""A line of an update as it is written on paper: ``m = beta1 * m + …`` as ``m ← β₁·m + …``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

SYMBOLS = {
    "beta1": "β₁", "beta2": "β₂", "beta3": "β₃", "self.lr": "η", "self.weight_decay": "λ", "self.eps": "ε",
    "self.momentum": "μ", "self.dampening": "τ", "self.alpha": "α", "self.rho": "ρ", "param": "w", "grad": "g",
    "decayed": "w", "direction": "u", "start": "w₀", "previous": "g of the step before", "base": "η₀", "mu": "μₜ",
    "next_mu": "μₜ₊₁", "product": "Πμ", "c1": "c₁", "c2": "c₂", "c3": "c₃", "np.nan": "nan", "lr": "η",
    "self.lr_decay": "κ",
}  # fmt: skip
SIGNS = {ast.Add: " + ", ast.Sub: " − ", ast.Mult: "·", ast.Div: "/", ast.Gt: " > ", ast.Lt: " < ", ast.GtE: " ≥ "}
CALLS = {"np.sqrt": "√", "np.sign": "sign", "np.maximum": "max", "np.minimum": "min", "norm_of_run": "norm",
         "average": "mean", "largest": "max", "total": "sum"}  # fmt: skip
LEVEL = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2, ast.Pow: 3}
POWERS = {"2": "²", "t": "ᵗ", "3": "³"}


class Renderer:
    """``kept``: what is kept under each key of the state; of the step before it is written with ₋₁."""

    def __init__(self, kept: Mapping[str, str]) -> None:
        self.kept = kept

    def text(self, text: str) -> str:
        """A text with expressions between ``«`` and ``»``."""
        return re.sub("«(.*?)»", lambda match: self.of(ast.parse(match[1], mode="eval").body), text)

    def line(self, source: str) -> str:
        """A statement in the notation of formulas."""
        if source == "pass":
            return "nothing"
        try:
            tree = ast.parse(f"def f():\n {source}").body[0].body[0]  # type: ignore[attr-defined]
        except SyntaxError:  # a part of a statement of several lines
            return source.strip()
        if isinstance(tree, ast.Assign):
            target = tree.targets[0]
            if isinstance(target, ast.Subscript):
                return f"{ast.literal_eval(target.slice)} kept ← {self.of(tree.value)}"
            return f"{self.of(target)} ← {self.of(tree.value)}"
        if isinstance(tree, ast.Return) and isinstance(tree.value, ast.Tuple):
            moved, after = tree.value.elts
            named = [f"{key.value!s} kept ← {self.of(value)}" for key, value in _entries(after)]
            return "; ".join([f"w ← {self.of(moved)}", *named])
        return source

    def of(self, node: ast.AST, level: int = 0) -> str:
        """An expression; in brackets where its operator binds less than ``level``."""
        source = ast.unparse(node)
        if source in SYMBOLS:
            return SYMBOLS[source]
        match node:
            case ast.Name() | ast.Attribute():
                return source.removeprefix("self.")
            case ast.BinOp(left, ast.Pow(), right):
                power = POWERS.get(ast.unparse(right))
                return f"{self.of(left, 4)}{power}" if power else f"{self.of(left, 4)}^({self.of(right)})"
            case ast.BinOp(left, op, right) if type(op) in LEVEL:
                mine = LEVEL[type(op)]
                after = mine + isinstance(op, ast.Sub | ast.Div)
                text = f"{self.of(left, mine)}{SIGNS[type(op)]}{self.of(right, after)}"
                return f"({text})" if mine < level else text
            case ast.UnaryOp(ast.USub(), operand):
                return f"−{self.of(operand, 3)}"
            case ast.Compare(left, [op], [right]) if type(op) in SIGNS:
                return f"{self.of(left)}{SIGNS[type(op)]}{self.of(right)}"
            case ast.IfExp(test, body, orelse):
                first = "state" in ast.unparse(test)
                when = "from the second step on" if first else f"where {self.of(test)}"
                return f"{self.of(body)} {when}, else {self.of(orelse)}"
            case ast.Call(func, args):
                return self._call(ast.unparse(func), args)
            case ast.Subscript(ast.Name("state"), ast.Constant(key)):
                return self._before(str(key))
        return source

    def _before(self, key: str) -> str:
        name = self.kept.get(key, key)
        return f"{name if name.isidentifier() else key}₋₁"

    def _call(self, name: str, args: list[ast.expr]) -> str:
        if name == "state.get":
            return self._before(ast.literal_eval(args[0]))
        if name == "np.abs":
            return f"|{self.of(args[0])}|"
        if name == "np.where":
            return f"({self.of(args[1])} where {self.of(args[0])}, else {self.of(args[2])})"
        if name == "unit":
            return f"{self.of(args[0], 4)}/‖{self.of(args[0])}‖"
        if name == "rounded":
            return f"{self.of(args[0])} in {ast.literal_eval(args[1])}"
        if name == "np.sqrt" and isinstance(args[0], ast.Name):
            return f"√{self.of(args[0])}"
        return f"{CALLS.get(name, name)}({', '.join(self.of(arg) for arg in args)})"


def _entries(after: ast.expr) -> Iterator[tuple[ast.Constant, ast.expr]]:
    """The expressions that the state keeps, by their keys, as far as the source writes them out."""
    if isinstance(after, ast.Dict):
        for key, value in zip(after.keys, after.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(value, ast.BinOp):
                yield key, value
