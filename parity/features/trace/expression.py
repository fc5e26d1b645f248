"""One number as a tree: what it was computed from, down to numbers that have a name of their own.

Each leaf has a symbol and a number, so that a formula and the same formula with its numbers inserted are two readings
of one tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from parity.features.trace.arithmetic import Traced
from parity.features.trace.elements import SUMS, Element, operands_at, terms_at

SHOWN = 6
"""The number of terms that are shown; of a longer sum the first ones and the last."""


@dataclass(frozen=True)
class Leaf:
    """A number with its symbol; a constant has none."""

    symbol: str | None
    value: Any


@dataclass(frozen=True)
class Operation:
    """``kind`` (+, −, ·, /, ^, <, sqrt, maximum …) of ``parts``."""

    kind: str
    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Sum:
    """The first ``terms`` of ``count`` and the last."""

    terms: tuple[Expression, ...]
    count: int


Expression = Leaf | Operation | Sum


def given(node: Traced) -> bool:
    """Neither computed here nor to be explained: data, hyper-parameters, what earlier steps left, the step's number."""
    return not node.operands or node.symbol == "t"


def formula(node: Traced, place: int) -> Expression:
    """What the element was computed from; of a choice also the condition, where it is one of named numbers."""
    node, place = _base((node, place))
    if node.kind != "where" or given(node):
        return _opened(node, place)
    chosen, condition = operands_at(node, place)
    inner = formula(*chosen) if _base(chosen)[0].kind == "where" else _part(chosen)
    if not _is_reason(condition) or (isinstance(inner, Operation) and inner.kind == "where"):
        return inner
    return Operation("where", (inner, _part(condition), Leaf(None, _base(condition)[0].at(condition[1]))))


def lines(roots: Sequence[Element]) -> list[Element]:
    """The elements with a name that the roots are made of, and the roots, in the order in which they were computed.

    The terms of sums are left out: they are shown where they are added.
    """
    named: dict[tuple[int, int], Element] = {}

    def visit(element: Element) -> None:
        node, place = _base(element)
        if given(node) or (id(node), place) in named:
            return
        if node.kind in SUMS:
            terms = terms_at(node, place)
            elements = list(terms[0]) if len(terms) == 1 else []
        else:
            elements = operands_at(node, place)
        if node.kind == "where" and not (node.symbol and _is_reason(elements[1])):
            del elements[1]
        for each in elements:
            visit(each)
        if node.symbol:
            named[id(node), place] = node, place

    for root in roots:
        visit(root)
    return sorted(named.values(), key=lambda element: element[0].serial)


def _is_reason(condition: Element) -> bool:
    """It has a name, or compares a number that has one."""
    node, place = _base(condition)
    return bool(node.symbol or (node.operands and _base(operands_at(node, place)[0])[0].symbol))


def _opened(node: Traced, place: int) -> Expression:
    """The expression from which an element was computed; of a choice the branch that was chosen."""
    if given(node):
        return Leaf(node.symbol, node.at(place))
    if node.kind in SUMS:
        return _sum(node, place)
    elements = operands_at(node, place)
    if node.kind in ("where", "same"):
        return _part(elements[0])
    parts = tuple(map(_part, elements))
    if node.kind == "+" and parts[0] == Leaf(None, 0):  # the start of a sum that is made term by term
        return parts[1]
    if node.kind == "/" and parts[1] == Leaf(None, 1):
        return parts[0]
    if node.kind == "·":
        return _product(parts)
    return Operation(node.kind, parts)


def _part(element: Element) -> Expression:
    """A name where it has one."""
    node, place = _base(element)
    return Leaf(node.symbol, node.at(place)) if node.symbol else _opened(node, place)


def _base(element: Element) -> Element:
    """The element before its array was given another shape, or joined to others."""
    node, place = element
    while node.kind in ("move", "join"):
        ((node, place),) = operands_at(node, place)
    return node, place


def _sum(node: Traced, place: int) -> Expression:
    terms = terms_at(node, place)
    kept = terms if len(terms) <= SHOWN else [*terms[: SHOWN - 2], terms[-1]]
    expressions = tuple(_term(term) for term in kept)
    return expressions[0] if len(terms) == 1 else Sum(expressions, len(terms))


def _term(factors: tuple[Element, ...]) -> Expression:
    parts = tuple(map(_part, factors))
    return parts[0] if len(parts) == 1 else _product(parts)


def _product(parts: tuple[Expression, ...]) -> Expression:
    """A constant 1 is left out, and a number times itself is its square."""
    one, two = parts
    if one == Leaf(None, 1):
        return two
    return Operation("^", (one, Leaf(None, 2))) if one == two else Operation("·", parts)
