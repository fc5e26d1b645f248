"""The words of the project: arrays, parameters, hyper-parameters and the protocols of what an experiment is made of.

Every array carries one leading axis of independent runs, length 1 included: a linear weight is
``(runs, 1, p)``, a bias ``(runs, 1)``, inputs ``(runs or 1, n, p)``, targets ``(runs or 1, n, 1)``.
A hyper-parameter is a float, or one value per run, ``(runs,)``.

The formulas of the package are plain arithmetic, so the elements may be ``float64``,
``longdouble``, objects (``mpmath.mpf``, :class:`~refimpl.arithmetic.exact.Exact`), or a whole array may be a
:class:`~refimpl.arithmetic.bounded.Bounded`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Params: TypeAlias = Mapping[str, Array]
State: TypeAlias = Mapping[str, Array]
Number: TypeAlias = float | Array
"""A hyper-parameter: a float, one value per run, or either of them lifted to another arithmetic."""


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


@runtime_checkable
class Layer(Protocol):
    """A part of a network by itself, with its local derivatives.

    Arrays have torch's own shapes, rows first: there is no axis of runs.
    """

    def forward(self, params: Params, x: Any) -> Array:
        """The output for an input, or for a tuple of several."""

    def backward(self, params: Params, x: Any, upstream: Array) -> tuple[Any, dict[str, Array]]:
        """∂L/∂input, one for each input, and ∂L/∂parameter by name, from ``upstream`` = ∂L/∂output.

        An input that is data, indices and targets, has None for its gradient.
        """


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
        """How the optimizer applies its own ``weight_decay``."""

    def init(self, param: Array) -> State:
        """State before the first step, with torch's keys; a key that torch makes later is absent."""

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        """The parameter and the state after one step."""


@runtime_checkable
class Joint(Optimizer, Protocol):
    """An optimizer that shares numbers among all arrays, made of sums over all of them (:mod:`refimpl.joint`)."""

    @property
    def shared(self) -> tuple[str, ...]:
        """The keys of the state that are the same for all arrays, ``(runs,)`` each."""

    def addends(self, param: Array, grad: Array, state: State) -> dict[str, Array]:
        """What one array adds to each sum in this step, ``(runs,)``; ``step`` takes the sums from its state."""


class Schedule(Protocol):
    """Hyper-parameters as a function of how often the schedule was advanced."""

    @property
    def per(self) -> Literal["epoch", "step"]:
        """Whether the schedule advances after every epoch or after every step."""

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        """The hyper-parameters that differ from ``base`` after ``count`` advances (an int or an array of them)."""


@runtime_checkable
class Recursive(Schedule, Protocol):
    """A schedule of which frameworks make each rate from the one before: equal to ``at``, but for other roundings."""

    def following(self, count: Any, current: Mapping[str, Number], base: Mapping[str, Number]) -> dict[str, Number]:
        """The hyper-parameters after ``count`` advances, from ``current``, those after ``count − 1``.

        With count = 0 it is what making the schedule does to the hyper-parameters ``current`` of the optimizer.
        """


class Reactive(Protocol):
    """Hyper-parameters that follow a metric, such as the validation loss; both functions are pure."""

    @property
    def per(self) -> Literal["epoch", "step"]:
        """Whether the schedule advances after every epoch or after every step."""

    @property
    def worst(self) -> float:
        """The metric that any other improves on."""

    def init(self, base: Mapping[str, Number]) -> State:
        """State before the first metric, with the hyper-parameters that it moves."""

    def react(self, metric: Array, state: State) -> tuple[dict[str, Number], State]:
        """The hyper-parameters from here on and the state, after a metric ``(runs,)``."""
