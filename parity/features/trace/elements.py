"""From an element of a :class:`~parity.features.trace.arithmetic.Traced` array to the elements that it was made of."""

from __future__ import annotations

import numpy as np

from parity.features.trace.arithmetic import Traced
from refimpl.types import Array

SUMS = ("matmul", "vecdot", "sum")
"""Kinds of which an element is made of many."""

Element = tuple[Traced, int]
"""An array and a place in it, counted as in its flat form."""


def operands_at(node: Traced, place: int) -> list[Element]:
    """The elements that an element is made of; of a choice what was chosen, and the condition.

    Arrays that were given another shape, or joined, hold the element itself.
    """
    if node.kind == "move":
        (source,) = node.operands
        return [(source, int(node.detail(places(source)).ravel()[place]))]
    if node.kind == "join":
        which = [np.full(part.shape, i) for i, part in enumerate(node.operands)]
        source = node.operands[np.concatenate(which, **node.detail).ravel()[place]]
        return [(source, int(np.concatenate([places(p) for p in node.operands], **node.detail).ravel()[place]))]
    index = np.unravel_index(place, node.shape)
    elements = [(each, int(np.broadcast_to(places(each), node.shape)[index])) for each in node.operands]
    if node.kind == "where":
        condition, yes, no = elements
        return [yes if condition[0].at(condition[1]) else no, condition]
    return elements


def terms_at(node: Traced, place: int) -> list[tuple[Element, ...]]:
    """The terms of an element of a sum; those of a matrix product and of a dot product are pairs of factors."""
    first = node.operands[0]
    if node.kind == "sum":
        return [((first, int(each)),) for each in _row(np.moveaxis(places(first), node.detail, -1), place)]
    second = node.operands[1]
    a, b = places(first), places(second)
    if node.kind == "matmul":
        a, b = a[..., :, None, :], np.swapaxes(b, -1, -2)[..., None, :, :]
    a, b = np.broadcast_arrays(a, b)
    return [((first, int(i)), (second, int(j))) for i, j in zip(_row(a, place), _row(b, place), strict=True)]


def _row(array: Array, place: int) -> Array:
    """The vector along the last axis that an element at that place is the sum of."""
    row: Array = array[np.unravel_index(place, array.shape[:-1])]
    return row


def places(node: Traced) -> Array:
    """The place of each element, in the shape of the array."""
    return np.arange(node.size).reshape(node.shape)
