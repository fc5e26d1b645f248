"""The regularised objective ``J(params) = loss(model(X), y) + Σ penalties`` and its gradient.

The gradient is the chain rule, term by term::

    ∂J/∂w = (∂ŷ/∂w)ᵀ ∂loss/∂ŷ + Σ ∂Ω(w)       over the penalties that name w
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from refimpl.arithmetic.lift import align
from refimpl.arithmetic.sums import add_in_any_order
from refimpl.errors import ParameterError
from refimpl.types import Array, Loss, Model, Params, Penalty


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A model, a loss and any number of penalties; the data are arguments, so batches need no copy of it."""

    model: Model
    loss: Loss
    penalties: tuple[Penalty, ...] = ()

    def __post_init__(self) -> None:
        known = tuple(self.model.ndim)
        for penalty in self.penalties:
            unknown = [repr(name) for name in penalty.parameters if name not in known]
            if unknown or not penalty.parameters:
                given = unknown[0] if unknown else "no parameters, so that the penalty has no effect"
                raise ParameterError(
                    "parameters", given=given, allowed=", ".join(known), remedy="name the model's parameters"
                )

    @cached_property
    def terms(self) -> tuple[tuple[str, Penalty], ...]:
        """One (parameter, penalty) pair per term, strengths per run shaped to meet that parameter."""
        ndim = self.model.ndim
        return tuple((name, align(penalty, ndim[name])) for penalty in self.penalties for name in penalty.parameters)

    def data_loss(self, params: Params, X: Array, y: Array) -> Array:
        """The loss without penalty, ``(runs,)``."""
        return self.loss.value(self.model.forward(params, X), y)

    def objective(self, params: Params, X: Array, y: Array) -> Array:
        """J, ``(runs,)``."""
        return self.objective_from(self.data_loss(params, X, y), params)

    def objective_from(self, data_loss: Array, params: Params) -> Array:
        """J where the loss without penalty is already known."""
        penalties = [penalty.value(params[name]) for penalty in self.penalties for name in penalty.parameters]  # Ω(w)
        return add_in_any_order([data_loss, *penalties])

    def gradient(self, params: Params, X: Array, y: Array) -> dict[str, Array]:
        """∂J/∂params, by parameter; at a kink of a penalty, its stated subgradient."""
        return self.gradient_from(self.model.forward(params, X), params, X, y)

    def gradient_from(self, outputs: Array, params: Params, X: Array, y: Array) -> dict[str, Array]:
        """∂J/∂params where the outputs are already known."""
        data_gradient = self.model.backward(params, X, self.loss.gradient(outputs, y))  # (∂ŷ/∂w)ᵀ ∂loss/∂ŷ
        return self.penalised(data_gradient, params)

    def penalised(self, data_gradient: Mapping[str, Array], params: Params) -> dict[str, Array]:
        """∂J/∂params where the gradient of the loss without penalty is already known."""
        summands = {name: [gradient] for name, gradient in data_gradient.items()}
        for name, penalty in self.terms:
            summands[name].append(penalty.subgradient(params[name]))  # ∂Ω(w)
        return {name: add_in_any_order(terms) for name, terms in summands.items()}
