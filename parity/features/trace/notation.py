"""Expressions in writing; how a quotient, a power and a root look is left to :mod:`text` and :mod:`mathml` beside it.

Brackets follow from levels: a part in brackets binds less than what it stands in.

=====  ====================
0      comparisons
1      sums, differences
2      products, quotients
3      powers, roots
4      all else
=====  ====================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from parity.features.trace.expression import Expression, Leaf, Operation, Sum
from parity.features.trace.numbers import short

LEVELS = {"+": 1, "−": 1, "·": 2, "/": 2, "^": 3}
COMPARISONS = (">", "≥", "<", "≤", "=")
TRUE = Leaf(None, True)
WORDS = {"maximum": "max", "minimum": "min"}


@dataclass(frozen=True)
class Piece:
    """Something written, how tightly it is bound, and whether it begins with a minus."""

    text: str
    level: int
    minus: bool = False


class Notation(ABC):
    """How a tree is written."""

    def symbols(self, expression: Expression) -> str:
        """The formula with the symbol of every number that has one."""
        return self.piece(expression, numbers=False).text

    def numbers(self, expression: Expression) -> str:
        """The formula with all numbers inserted."""
        return self.piece(expression, numbers=True).text

    def piece(self, expression: Expression, *, numbers: bool) -> Piece:
        if isinstance(expression, Leaf):
            if expression.symbol is not None and not numbers:
                return Piece(self.symbol(expression.symbol), 4)
            text = short(expression.value)
            return Piece(self.number(text), 2 if "×" in text else 4, text.startswith("−"))
        if isinstance(expression, Sum):
            return self._sum(expression, numbers=numbers)
        parts = [self.piece(part, numbers=numbers) for part in expression.parts]
        return self._operation(expression, parts, numbers=numbers)

    def _sum(self, sum: Sum, *, numbers: bool) -> Piece:
        if not numbers:
            return Piece(self.sign("Σ", before=True) + self.bound(self.piece(sum.terms[0], numbers=False), 2), 1)
        terms = [self.piece(term, numbers=True) for term in sum.terms]
        written = terms[0].text
        for i, term in enumerate(terms[1:], 2):
            if i == len(terms) and sum.count > len(terms):
                written += f"{self.sign('+')}… ({sum.count - len(terms)} more)"
            if term.minus and term.text.startswith("−"):
                written += self.sign("−") + term.text.removeprefix("−")
            else:
                written += self.sign("+") + self.bound(term, 1, first=False)
        return Piece(written, 1, terms[0].minus)

    def _operation(self, operation: Operation, parts: list[Piece], *, numbers: bool) -> Piece:
        kind = operation.kind
        if kind in ("+", "−", "·"):
            level = LEVELS[kind]
            first, (left, right) = operation.parts[0], parts
            quotient = kind == "·" and isinstance(first, Operation) and first.kind == "/"  # (a / b)·c
            before = self.bound(left, level + quotient)
            after = self.bound(right, level + (kind != "+"), first=False)
            return Piece(before + self.sign(kind) + after, level, left.minus and before == left.text)
        if kind == "/":
            return self.quotient(*parts)
        if kind == "^":
            return self.power(*parts)
        if kind == "sqrt":
            return self.root(parts[0])
        if kind == "absolute":
            return Piece(self.sign("|", before=True) + parts[0].text + self.sign("|", before=True), 4)
        if kind == "negative":
            return Piece(self.sign("−", before=True) + self.bound(parts[0], 2, first=False), 2, True)
        if kind in COMPARISONS:
            return Piece(parts[0].text + self.sign(kind) + parts[1].text, 0)
        if kind == "where":
            a_name = isinstance(operation.parts[1], Leaf)
            return Piece(parts[0].text + ("" if numbers and a_name else self.since(parts[1], operation.parts[2])), 0)
        inside = self.sign(",", before=True).join(part.text for part in parts)
        return Piece(self.word(WORDS.get(kind, kind)) + self.brackets(inside), 3)

    def bound(self, piece: Piece, level: int, *, first: bool = True) -> str:
        """A piece, in brackets where it binds less than ``level`` or begins with a minus that would follow a sign."""
        return self.brackets(piece.text) if piece.level < level or (piece.minus and not first) else piece.text

    @abstractmethod
    def symbol(self, symbol: str) -> str: ...

    @abstractmethod
    def number(self, text: str) -> str: ...

    @abstractmethod
    def sign(self, sign: str, *, before: bool = False) -> str:
        """Between two parts, or ``before`` one."""

    @abstractmethod
    def word(self, word: str) -> str: ...

    @abstractmethod
    def since(self, condition: Piece, holds: Expression) -> str: ...

    @abstractmethod
    def brackets(self, text: str) -> str: ...

    @abstractmethod
    def quotient(self, over: Piece, under: Piece) -> Piece: ...

    @abstractmethod
    def power(self, base: Piece, exponent: Piece) -> Piece: ...

    @abstractmethod
    def root(self, of: Piece) -> Piece: ...
