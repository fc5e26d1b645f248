"""The words of the project: arrays, parameters, hyper-parameters and the protocols.

Every array carries one leading axis of independent runs, length 1 included: a linear weight is
``(runs, 1, p)``, a bias ``(runs, 1)``, inputs ``(runs or 1, n, p)``, targets ``(runs or 1, n, 1)``.
A hyper-parameter is a float, or one value per run, ``(runs,)``.

The formulas of the package are plain arithmetic, so the elements may be ``float64``,
``longdouble``, objects (``mpmath.mpf``, :class:`~refimpl.arithmetic.exact.Exact`), or a whole array may be a
:class:`~refimpl.arithmetic.bounded.Bounded`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, Protocol, TypeAlias, get_args, get_type_hints, runtime_checkable

import numpy as np
import numpy.typing as npt

from refimpl.errors import ParameterError

Array: TypeAlias = npt.NDArray[Any]
Params: TypeAlias = Mapping[str, Array]
State: TypeAlias = Mapping[str, Array]
Number: TypeAlias = float | Array
"""A hyper-parameter: a float, one value per run, or either of them lifted to another arithmetic."""


@dataclass(frozen=True)
class Range:
    """The finite numbers that a hyper-parameter may take, both ends included unless ``open_high``.

    ``optional``: or None, for a number that the formula finds by itself.
    """

    low: float = -math.inf
    high: float = math.inf
    open_high: bool = False
    optional: bool = False

    def holds(self, value: Number) -> bool:
        values = np.asarray(value, dtype=float)
        below = values < self.high if self.open_high else values <= self.high
        return bool(np.all(np.isfinite(values) & (values >= self.low) & below))

    def __str__(self) -> str:
        if math.isinf(self.low) and math.isinf(self.high):
            return "a finite number"
        if math.isinf(self.low):
            return f"a finite number ≤ {self.high:g}"
        if math.isinf(self.high):
            return f"a finite number ≥ {self.low:g}"
        return f"a number from {self.low:g} to {self.high:g}{' (excluded)' if self.open_high else ''}"


Finite: TypeAlias = Annotated[Number, Range()]
NonNegative: TypeAlias = Annotated[Number, Range(low=0)]
Portion: TypeAlias = Annotated[Number, Range(low=0, high=1)]
Rate: TypeAlias = Annotated[Number, Range(low=0, high=1, open_high=True)]
"""How much of a running average is kept."""
Rates: TypeAlias = Annotated[tuple[Number, Number], Range(low=0, high=1, open_high=True)]


@cache
def number_fields(cls: Any) -> Mapping[str, Range]:
    """The fields of a dataclass that hold numbers, with the range of each (``Annotated[…, Range]``)."""
    found = {}
    for name, hint in get_type_hints(cls, include_extras=True).items():
        ranges = [extra for extra in get_args(hint)[1:] if isinstance(extra, Range)]
        if ranges and name in {field.name for field in fields(cls)}:
            found[name] = ranges[0]
    return found


@cache
def choice_fields(cls: Any) -> Mapping[str, tuple[Any, ...]]:
    """The fields of a dataclass that take one of a few named values (``Literal``)."""
    hints = get_type_hints(cls)
    return {
        f.name: get_args(hints[f.name]) for f in fields(cls) if getattr(hints[f.name], "__origin__", None) is Literal
    }


def check_fields(self: Any) -> None:
    """Raise :class:`ParameterError` for a number outside its range; used as ``__post_init__``.

    Numbers that were lifted to another arithmetic were checked before and pass.
    """
    for name, allowed in number_fields(self.__class__).items():
        value = getattr(self, name)
        for each in value if isinstance(value, tuple) else (value,):
            if each is None and allowed.optional:
                continue
            if isinstance(each, bool | str | None) or (plain(each) and not allowed.holds(each)):
                raise ParameterError(name, given=repr(value), allowed=str(allowed), remedy=f"change {name}")
    for name, choices in choice_fields(self.__class__).items():
        if getattr(self, name) not in choices:
            options = ", ".join(map(repr, choices))
            raise ParameterError(name, given=repr(getattr(self, name)), allowed=options, remedy="choose one of them")


def check_integers(self: Any, **least: int) -> None:
    """Raise :class:`ParameterError` for a field that is no integer or less than its least."""
    for name, low in least.items():
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise ParameterError(name, given=repr(value), allowed=f"an integer ≥ {low}", remedy=f"change {name}")


def plain(value: Any) -> bool:
    """True for a number, or an array of them, that was not lifted to another arithmetic."""
    array = isinstance(value, np.ndarray | np.generic)
    return isinstance(value, int | float) or (array and value.dtype.kind in "fiub")


def counted(state: State, param: Array) -> tuple[Array, Array]:
    """The number of the step that is being made: ``(runs,)`` for the state, and t, shaped to meet ``param``.

    It is kept under torch's key ``step`` as integers, which stay what they are in every arithmetic.
    """
    count = state.get("step", np.zeros(len(param), int)) + 1
    return count, count.reshape(-1, *(1,) * (param.ndim - 1))


def off(value: Number) -> bool:
    """True for a hyper-parameter that is plainly 0, which switches its term off, as in torch.

    Lifting keeps 0 as it is, because 0 is exact in every arithmetic; one value per run is never off.
    """
    return isinstance(value, int | float | np.number) and bool(value == 0)


class Model(Protocol):
    """Outputs and their hand-derived derivative."""

    @property
    def ndim(self) -> Mapping[str, int]:
        """Number of axes of each parameter, the axis of runs included."""

    @property
    def weights(self) -> tuple[str, ...]:
        """The parameters whose joint Euclidean norm is "the weight norm"."""

    @property
    def outputs(self) -> int:
        """Number of outputs per row."""

    def shapes(self, features: int) -> dict[str, tuple[int, ...]]:
        """torch's shape of each parameter, without the axis of runs."""

    def forward(self, params: Params, X: Array) -> Array:
        """Outputs ``(runs, n, outputs)``."""

    def backward(self, params: Params, X: Array, upstream: Array) -> dict[str, Array]:
        """Gradient by parameter, from ``upstream`` = ∂loss/∂outputs ``(runs, n, outputs)``."""


@runtime_checkable
class LinearModel(Model, Protocol):
    """A model whose gradient lies in the span of known rows, whatever the loss (TOLERANCE: projected check)."""

    def rows(self, X: Array) -> Array:
        """``(runs or 1, n, q)``: every gradient, parameters concatenated, is a combination of these rows."""


@runtime_checkable
class Dropping(Model, Protocol):
    """A model that leaves out units at random while it trains: the masks are data, made once for each step."""

    @property
    def dropout(self) -> Number:
        """The probability with which a unit is left out."""

    def draw_mask(self, rows: int, rng: np.random.Generator) -> Array:
        """``(1, rows, units)``: 1 for a unit that stays, 0 for one that is left out."""

    def dropping(self, mask: Array) -> Model:
        """The model of a training step with that mask; without one it is the model of evaluation."""


class Loss(Protocol):
    """A function of outputs and targets; every reduction runs over all axes but the first."""

    def value(self, outputs: Array, targets: Array) -> Array:
        """``(runs,)``."""

    def gradient(self, outputs: Array, targets: Array) -> Array:
        """∂value/∂outputs, of the shape of ``outputs``."""


@runtime_checkable
class ClassLoss(Loss, Protocol):
    """A loss whose targets are the numbers of classes, one output each."""

    def check_classes(self, name: str, targets: Array, outputs: int) -> None:
        """Raise :class:`refimpl.errors.DataError` for a target that is no class of so many; ``name`` says of what."""


class Penalty(Protocol):
    """Ω(w), added to the loss for each parameter it names.

    ``value`` takes strengths that are floats or ``(runs,)``; the elementwise functions take strengths that broadcast
    against ``w``, which :func:`refimpl.arithmetic.lift.align` makes of them.
    """

    @property
    def parameters(self) -> tuple[str, ...]: ...

    def value(self, w: Array) -> Array:
        """``(runs,)``."""

    def subgradient(self, w: Array) -> Array:
        """One element of ∂Ω(w)."""

    def prox(self, w: Array, step: Number) -> Array:
        """argmin over v of ½‖v − w‖² + step·Ω(v)."""

    def distance(self, w: Array, gradient: Array) -> Array:
        """Elementwise distance of −gradient to ∂Ω(w): 0 everywhere exactly at an optimum."""


Decay: TypeAlias = Literal["coupled", "decoupled", "proximal"]
"""What an optimizer does with an L2 penalty of its own: adds λw to the gradient (``coupled``), shrinks the weights
beside the step (``decoupled``), or takes any penalty by its proximal operator (``proximal``)."""


class Optimizer(Protocol):
    """One array's update, with torch's field names; both functions are pure."""

    @property
    def decay(self) -> Decay:
        """What it does with an L2 penalty of its own."""

    def init(self, param: Array) -> State:
        """State before the first step, with torch's keys; a key that torch makes later is absent."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        """The parameter and the state after one step."""


class Schedule(Protocol):
    """Hyper-parameters as a function of how often the schedule was advanced."""

    @property
    def per(self) -> Literal["epoch", "step"]:
        """What advances it."""

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        """The hyper-parameters that differ from ``base`` after ``count`` advances (an int or an array of them)."""


@runtime_checkable
class Recursive(Schedule, Protocol):
    """A schedule of which frameworks make each rate from the one before: equal to ``at``, but for other roundings."""

    def following(self, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]) -> dict[str, Number]:
        """The hyper-parameters after ``count`` advances, from ``current``, those after ``count − 1``.

        With count = 0 it is what making the schedule does to the hyper-parameters ``current`` of the optimizer.
        """


def advanced(
    schedule: Schedule, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]
) -> dict[str, Number]:
    """The hyper-parameters that the schedule sets at its advance number ``count``, as frameworks come by them."""
    return schedule.following(count, current, base) if isinstance(schedule, Recursive) else schedule.at(count, base)


class Reactive(Protocol):
    """Hyper-parameters that follow a metric, such as the validation loss; both functions are pure."""

    @property
    def per(self) -> Literal["epoch", "step"]:
        """What advances it."""

    @property
    def worst(self) -> float:
        """The metric that any other improves on."""

    def init(self, base: Mapping[str, Number]) -> State:
        """State before the first metric, with the hyper-parameters that it moves."""

    def react(self, metric: Array, state: State) -> tuple[dict[str, Number], State]:
        """The hyper-parameters from here on and the state, after a metric ``(runs,)``."""


def momentum_of(base: Mapping[str, Number], value: Number) -> dict[str, Number]:
    """``value`` as the hyper-parameter in which an optimizer keeps its momentum: β₁ of ``betas``, or ``momentum``."""
    betas: Any = base.get("betas")
    if betas is not None:
        return {"betas": (value, *betas[1:])}  # type: ignore[dict-item]  # a tuple of numbers
    if "momentum" not in base:
        raise ParameterError(
            "cycle_momentum",
            given=True,
            allowed="an optimizer with momentum or betas",
            remedy="set cycle_momentum = false",
        )
    return {"momentum": value}
