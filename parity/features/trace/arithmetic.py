"""Arrays that remember how each of their numbers was computed.

The reference's formulas run on :class:`Traced` arrays unchanged. Every operation is made by the same function on the
same plain numbers, so that the values are those of the reference to the last bit; beside its value the result keeps
what was done (``kind``) and to what (``operands``). Nothing is written out before it is asked for, and then of single
elements only (:mod:`parity.features.trace.elements`): arrays may be large.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from refimpl.types import Array

OPERATORS: dict[np.ufunc, tuple[str, Callable[..., Any]]] = {
    np.add: ("+", operator.add),
    np.subtract: ("−", operator.sub),
    np.multiply: ("·", operator.mul),
    np.divide: ("/", operator.truediv),
    np.power: ("^", operator.pow),
    np.remainder: ("mod", operator.mod),
    np.negative: ("negative", operator.neg),
    np.greater: (">", operator.gt),
    np.greater_equal: ("≥", operator.ge),
    np.less: ("<", operator.lt),
    np.less_equal: ("≤", operator.le),
    np.equal: ("=", operator.eq),
}
"""What is written as an operator is computed as one: of Python's numbers by Python, of arrays by NumPy."""

FUNCTIONS = {np.sqrt, np.absolute, np.sign, np.maximum, np.minimum, np.matmul, np.vecdot, np.square, np.exp, np.log}

SERIAL = count()


class Traced(NDArrayOperatorsMixin):
    """``value`` = ``kind`` of ``operands``; ``symbol`` if it has a name, ``fixed`` if no other may replace it.

    One without operands was given. ``serial`` grows in the order in which they are made.
    """

    __slots__ = ("detail", "fixed", "kind", "operands", "serial", "symbol", "value")

    def __init__(
        self, value: Any, symbol: str | None = None, *, kind: str = "", operands: Sequence[Any] = (), detail: Any = None
    ) -> None:
        self.value, self.symbol, self.kind, self.detail = value, symbol, kind, detail
        self.operands = tuple(traced(x) for x in operands)
        self.fixed, self.serial = symbol is not None, next(SERIAL)

    # -- NumPy's protocols ----------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs or (ufunc not in OPERATORS and ufunc not in FUNCTIONS):
            return NotImplemented
        kind, compute = OPERATORS.get(ufunc, (ufunc.__name__, ufunc))
        return Traced(compute(*map(untraced, inputs)), kind=kind, operands=inputs)

    def __array_function__(self, function: Any, types: Any, args: Sequence[Any], kwargs: Any) -> Any:
        if function is np.concatenate:
            value = np.concatenate([untraced(part) for part in args[0]], *args[1:], **kwargs)
            return Traced(value, kind="join", operands=args[0], detail=kwargs or {"axis": args[1] if args[1:] else 0})
        if function is np.linalg.eigh:
            lam, V = np.linalg.eigh(untraced(args[0]))
            return Traced(lam, "σ"), Traced(V, "V")  # taken as given: no formula has them
        if function is np.linalg.qr:
            Q, R = np.linalg.qr(untraced(args[0]))
            return Traced(Q, "Q"), Traced(R, "R")
        if function is not np.where or len(args) != 3 or kwargs:
            return NotImplemented
        condition, *branches = args
        value = np.where(*map(untraced, args))
        for branch, taken in zip(branches, (np.all(untraced(condition)), not np.any(untraced(condition))), strict=True):
            same_type = isinstance(branch, Traced) and getattr(branch.value, "dtype", None) == value.dtype
            if taken and same_type and branch.shape == value.shape and not isinstance(condition, Traced):
                return branch
        return Traced(value, kind="where", operands=args)

    # -- shape ----------------------------------------------------------------------------------------------------

    def _moved(self, move: Callable[[Array], Array]) -> Traced:
        return Traced(move(np.asarray(self.value)), kind="move", operands=(self,), detail=move)

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.value)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.size(self.value))

    @property
    def dtype(self) -> Any:
        return np.asarray(self.value).dtype

    @property
    def T(self) -> Traced:  # NumPy's name
        return self._moved(lambda x: x.T)

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        return bool(self.value)

    def __getitem__(self, index: Any) -> Traced:
        return self._moved(lambda x: x[index])

    def reshape(self, *shape: Any) -> Traced:
        return self._moved(lambda x: x.reshape(*shape))

    def swapaxes(self, first: int, second: int) -> Traced:
        return self._moved(lambda x: x.swapaxes(first, second))

    def sum(self, axis: int) -> Traced:
        return Traced(self.value.sum(axis=axis), kind="sum", operands=(self,), detail=axis)

    def max(self, axis: int) -> Traced:
        """The largest along one axis, which is one of the elements."""
        largest = np.argmax(self.value, axis=axis, keepdims=True)
        return self._moved(lambda x: np.take_along_axis(x, largest, axis).squeeze(axis))

    # -- elements -------------------------------------------------------------------------------------------------

    @property
    def base(self) -> Traced:
        """The computed array, before it was given another shape."""
        return self.operands[0].base if self.kind == "move" else self

    def suggest(self, symbol: str) -> None:
        """A name for as long as there is no better one."""
        if not self.base.fixed:
            self.base.symbol = symbol

    def named(self, symbol: str) -> Traced:
        """This under a symbol for good; what was given, or has its name, is another number of the same value."""
        node = self
        if not self.base.operands or self.base.fixed:
            node = Traced(self.value, kind="same", operands=(self,))
            node.serial = self.base.serial
        node.base.symbol, node.base.fixed = symbol, True
        return node

    def at(self, place: int) -> Any:
        """The element at that place of the flat array, as a Python number."""
        return np.ravel(self.value)[place].item()


def traced(x: Any) -> Traced:
    """A constant of a formula has no symbol."""
    return x if isinstance(x, Traced) else Traced(x)


def untraced(x: Any) -> Any:
    """The value that a formula would compute with."""
    return x.value if isinstance(x, Traced) else x
