"""Expressions as lines of text: ``w₀ − (η / c₁)·m₁``."""

from __future__ import annotations

import re

from parity.features.trace.expression import Expression
from parity.features.trace.notation import TRUE, Notation, Piece
from parity.features.trace.numbers import SUPERSCRIPTS


class Text(Notation):
    """A line of text."""

    def symbol(self, symbol: str) -> str:
        return symbol

    def number(self, text: str) -> str:
        return text

    def sign(self, sign: str, *, before: bool = False) -> str:
        if before:
            return {"Σ": "Σ ", ",": ", "}.get(sign, sign)
        return sign if sign == "·" else f" {sign} "

    def word(self, word: str) -> str:
        return word

    def since(self, condition: Piece, holds: Expression) -> str:
        return f", since {'' if holds == TRUE else 'not '}{condition.text}"

    def brackets(self, text: str) -> str:
        return f"({text})"

    def quotient(self, over: Piece, under: Piece) -> Piece:
        return Piece(f"{self.bound(over, 2)} / {self.bound(under, 3, first=False)}", 2, over.minus and over.level >= 2)

    def power(self, base: Piece, exponent: Piece) -> Piece:
        below = self.bound(base, 4, first=False)
        if re.fullmatch(r"−?[0-9]+|t", exponent.text):
            return Piece(below + exponent.text.translate(SUPERSCRIPTS), 3)
        return Piece(f"{below}^{self.bound(exponent, 4, first=False)}", 3)

    def root(self, of: Piece) -> Piece:
        return Piece(f"√{self.bound(of, 4, first=False)}", 3)


TEXT = Text()
