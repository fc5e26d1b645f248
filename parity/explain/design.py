"""What a run computes, in parts that a fault can turn one by one.

With recorded or own weights w_k, batch rows B_k, the data gradient ∇L and penalties Ω, step k is::

    r_k = ∇L(w_k; B_k) + p_k·Σ ∂Ω(w_k)           p: penalty_times
    u_k = twists(Σ_j M_kj·r_j)                   M: mixing, the identity in correct code; twists such as clipping
    w⁺  = step(w_k, u_k), n_k times              n: calls, none for parameters that are frozen
    w_{k+1} = (1 − s_k)·w⁺                       s: shrink; rounded to weights_format

The optimizer has its hyper-parameters after c_k advances of the schedule (counts), with weight_decay times d_k
(decay_times); its state is new where resets says so, and rounded to state_format. A correct run has the experiment's
own parts and none of these; faulty parts follow the same protocols (:mod:`parity.explain.faults`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from parity.errors import InputError
from parity.experiment import Experiment, Material
from parity.explain.rounding import like, rounded
from parity.formulation import Realised, realise
from parity.judge.update import COUNT
from refimpl.batches import Order
from refimpl.penalties import L2
from refimpl.training import hyper_parameters, scheduled
from refimpl.types import Array, LinearModel, Loss, Optimizer, Penalty, Schedule, off

Twist = Callable[[dict[str, Any]], dict[str, Any]]
"""From the gradients of all parameters to those that the optimizer is given."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """The parts of a run; see the module for the formulas.

    ``uncertain``: of how many roundings the inputs are, where they were computed from the data.
    """

    form: Realised
    material: Material
    penalty_times: Array | None = None
    mixing: Array | None = None
    twists: tuple[Twist, ...] = ()
    counts: Array | None = None
    decay_times: Mapping[str, Array] = field(default_factory=dict)
    shrink: Mapping[str, Array] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()
    calls: Array | None = None
    resets: Array | None = None
    weights_format: str | None = None
    state_format: str | None = None
    uncertain: float = 0.0

    # -- what it is ------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> list[Array]:
        """The batch of each step."""
        return [rows for batches in self.material.order for rows in batches]

    @property
    def epoch(self) -> Array:
        """The epoch of each step ``(K,)``."""
        return np.array([epoch for epoch, batches in enumerate(self.material.order) for _ in batches])

    @property
    def steps(self) -> int:
        return len(self.rows)

    @property
    def consistent(self) -> bool:
        """Whether what is given for each step is given for each of its steps."""
        single = [self.penalty_times, self.mixing, self.counts, self.calls, self.resets]
        arrays = [*single, *self.decay_times.values(), *self.shrink.values()]
        return all(len(each) == self.steps for each in arrays if each is not None)

    @property
    def advances(self) -> Array:
        """How often the schedule was advanced before each step ``(K,)``."""
        if self.counts is not None:
            return self.counts
        return self.epoch if self.form.schedule.per == "epoch" else np.arange(self.steps)

    def first(self, steps: int) -> Design:
        """Correct code that stops after so many steps."""
        left, order = steps, []
        for batches in self.material.order:
            order.append(batches[:left])
            left -= len(order[-1])
        return self.with_order(tuple(batches for batches in order if batches))

    def rates(self, name: str) -> Array:
        """η_k of a parameter ``(K,)``."""
        moved = scheduled(self.form.optimizers[name], self.form.schedule, self.advances)
        return np.broadcast_to(np.asarray(hyper_parameters(moved)["lr"], float), (self.steps,))

    def after(self, name: str, k: int, optimizer: Any, param: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
        """The parameter and the state after step k, by an optimizer with the hyper-parameters in effect."""
        if name in self.frozen:
            return param, state
        if self.resets is not None and self.resets[k]:
            state = optimizer.init(param)
        for _ in range(1 if self.calls is None else int(self.calls[k])):
            param, state = optimizer.step(param, gradient, state)
        if self.state_format is not None:
            kept = {key: value if key == COUNT else rounded(value, self.state_format) for key, value in state.items()}
            state = kept
        if name in self.shrink:
            param = param * (1 - like(param, self.shrink[name][k]))
        return param if self.weights_format is None else rounded(param, self.weights_format), state

    # -- with another part -------------------------------------------------------------------------------------------

    def with_loss(self, loss: Loss) -> Design:
        return self._with(in_gradient=replace(self.form.in_gradient, loss=loss))

    def with_penalties(self, *penalties: Penalty) -> Design:
        return self._with(in_gradient=replace(self.form.in_gradient, penalties=penalties))

    def with_optimizers(self, change: Callable[[Any], Any], *names: str) -> Design:
        """Every parameter's optimizer, or those of some, changed."""
        chosen = names or tuple(self.form.optimizers)
        changed: dict[str, Optimizer] = {
            name: change(optimizer) if name in chosen else optimizer for name, optimizer in self.form.optimizers.items()
        }
        return self._with(optimizers=changed)

    def with_schedule(self, schedule: Schedule) -> Design:
        return self._with(schedule=schedule)

    def with_order(self, order: Order) -> Design:
        return replace(self, material=replace(self.material, order=order))

    def with_data(self, uncertain: float = 0.0, **arrays: Array) -> Design:
        parts: dict[str, Any] = dict(arrays)
        dataset = replace(self.material.dataset, **parts)
        return replace(self, material=replace(self.material, dataset=dataset), uncertain=self.uncertain + uncertain)

    def with_penalty_times(self, times: Any) -> Design:
        before = 1.0 if self.penalty_times is None else self.penalty_times
        return replace(self, penalty_times=np.broadcast_to(before * np.asarray(times, float), (self.steps,)))

    def _with(self, **parts: Any) -> Design:
        return replace(self, form=replace(self.form, **parts))


def check_linear(experiment: Experiment) -> None:
    """Raise :class:`InputError` for a model whose runs cannot be explained."""
    if not isinstance(experiment.model, LinearModel):
        raise InputError(
            f"{experiment.name}: has the model {type(experiment.model).__name__}; what differs can be explained for "
            "linear models; `parity run` judges any model"
        )


def as_asked(experiment: Experiment) -> Design:
    """The design of correct code. Coupled decay of an optimizer is stated as the L2 penalty that it equals.

    Raises :class:`InputError` for any other model than a linear one.
    """
    check_linear(experiment)
    form = realise(experiment, "loss")
    penalties, optimizers = list(form.in_gradient.penalties), dict(form.optimizers)
    for name, optimizer in form.optimizers.items():
        decay = getattr(optimizer, "weight_decay", 0.0)
        if optimizer.decay == "coupled" and not off(decay) and not getattr(optimizer, "maximize", False):
            penalties.append(L2(strength=decay, parameters=(name,)))
            optimizers[name] = replace(optimizer, weight_decay=0.0)  # type: ignore[type-var]  # a dataclass
    in_gradient = replace(form.in_gradient, penalties=tuple(penalties))
    return Design(form=replace(form, in_gradient=in_gradient, optimizers=optimizers), material=experiment.draw())
