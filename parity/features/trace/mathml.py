"""Expressions as MathML, which browsers set without any help: a quotient is a fraction."""

from __future__ import annotations

from html import escape

from parity.features.trace.expression import Expression
from parity.features.trace.notation import TRUE, Notation, Piece

SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


class MathML(Notation):
    """The inside of a ``<math>`` element."""

    def symbol(self, symbol: str) -> str:
        if symbol.startswith("∂"):
            over, under = symbol.split("/")
            return f"<mfrac>{self._name(over)}{self._name(under)}</mfrac>"
        return self._name(symbol)

    def _name(self, symbol: str) -> str:
        base = symbol.rstrip("₀₁₂₃₄₅₆₇₈₉")
        below = symbol[len(base) :].translate(SUBSCRIPTS)
        return f"<msub><mi>{escape(base)}</mi><mn>{below}</mn></msub>" if below else f"<mi>{escape(base)}</mi>"

    def number(self, text: str) -> str:
        return f"<mn>{text}</mn>"

    def sign(self, sign: str, *, before: bool = False) -> str:
        del before
        return f"<mo>{ {'Σ': '∑'}.get(sign, escape(sign)) }</mo>"

    def word(self, word: str) -> str:
        return f"<mi>{word}</mi>"

    def since(self, condition: Piece, holds: Expression) -> str:
        return f"<mtext>, since {'' if holds == TRUE else 'not '}</mtext>{condition.text}"

    def brackets(self, text: str) -> str:
        return f"<mrow><mo>(</mo>{text}<mo>)</mo></mrow>"

    def quotient(self, over: Piece, under: Piece) -> Piece:
        return Piece(f"<mfrac><mrow>{over.text}</mrow><mrow>{under.text}</mrow></mfrac>", 3)

    def power(self, base: Piece, exponent: Piece) -> Piece:
        return Piece(f"<msup><mrow>{self.bound(base, 4)}</mrow><mrow>{exponent.text}</mrow></msup>", 3)

    def root(self, of: Piece) -> Piece:
        return Piece(f"<msqrt>{of.text}</msqrt>", 3)


MATHML = MathML()
