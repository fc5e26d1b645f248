"""What a run computes: an experiment, any link of which can be replaced.

With recorded or own weights w_k, batch rows B_k, upstream derivatives δ and penalties Ω, step k is::

    r_k = Σᵢ q_ki·δᵢ[xᵢ, 1] + p_k·Σ ∂Ω(w_k) + a_k·w_k   q: row_times, p: penalty_times, a: added
    u_k = c_k·twists(Σ_j M_kj·r_j + also)               M: mixing, else the identity; twists such as clipping; c: scale
    w⁺  = step(w_k, u_k), n_k times                     n: calls of each parameter, none where it is frozen
    w_{k+1} = (1 − s_k)·w⁺ − d_k·w_k                    s: shrink, d: beside; rounded to weights_format

The optimizer has its hyper-parameters after c_k advances of the schedule (counts), with weight_decay times d_k
(decay_times); its state is new where resets says so, and rounded to state_format. A correct run has the experiment's
own parts and none of these; faulty parts follow the same protocols (:mod:`parity.explain.faults`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from parity.errors import InputError
from parity.experiment import Experiment, Material
from parity.formulation import Realised, realise
from parity.step.after import COUNT, Join, States, after
from parity.step.arithmetics import like, rounded
from refimpl.accumulation import Window
from refimpl.arithmetic.sums import PIECES, add_in_any_order
from refimpl.batches import Order
from refimpl.freezing import live
from refimpl.joint import together
from refimpl.penalties import L2
from refimpl.problem import Problem
from refimpl.stepping import is_zero
from refimpl.training import hyper_parameters, scheduled
from refimpl.types import Array, Joint, LinearModel, Loss, Model, Optimizer, Params, Penalty, Schedule

Twist = Callable[[dict[str, Any]], dict[str, Any]]
"""From the gradients of all parameters to those that the optimizer is given."""

REDUCTION = 3
"""Roundings of a gradient that is reduced in the format of the run, its additions apart: of 1/R, of the division before
the additions or after them, and of a copy that is sent."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """The parts of a run; see the module for the formulas.

    ``begins``: weights from which the steps start in the place of those recorded after the step before, ``(K, …)``.
    ``ends``: weights that the steps are to come to in the place of those recorded next, ``(K, …)``.
    ``at``: weights at which the gradient is taken in the place of w_k, ``(K, …)`` by parameter.
    ``also``: designs whose gradients are added, each with how often in each step ``(K,)``.
    ``given``: gradients in the place of all that is before the optimizer, ``(K, …)`` by parameter.
    ``forgets``: the parts of the state that ``resets`` makes new; all of them where none is named.
    ``update_format``: what the optimizer computes in, and keeps its state in, where that is not the weights' format.
    ``splits``: of each of several calls, how often it is given the rows' part of the gradient, and the penalty's part
    at the weights that the call before left.
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
    beside: Mapping[str, Array] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()
    calls: Array | Mapping[str, Array] | None = None
    row_times: tuple[Array, ...] | None = None
    added: Mapping[str, Array] = field(default_factory=dict)
    scale: Mapping[str, Array] = field(default_factory=dict)
    also: tuple[tuple[Design, Array], ...] = ()
    given: Mapping[str, Array] = field(default_factory=dict)
    at: Mapping[str, Array] = field(default_factory=dict)
    splits: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    begins: Mapping[str, Array] = field(default_factory=dict)
    ends: Mapping[str, Array] = field(default_factory=dict)
    resets: Array | None = None
    forgets: frozenset[str] = frozenset()
    weights_format: str | None = None
    state_format: str | None = None
    update_format: str | None = None
    uncertain: float = 0.0

    # -- what it is ------------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> list[Array]:
        """The batch of each step."""
        return [rows for batches in self.material.order for rows in batches]

    @cached_property
    def epoch(self) -> Array:
        """The epoch of each step ``(K,)``."""
        return np.array([epoch for epoch, batches in enumerate(self.material.order) for _ in batches])

    @property
    def steps(self) -> int:
        return len(self.rows)

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """The micro-batches of each step, where the gradients of several are accumulated."""
        windows = self.material.windows
        fit = len(windows) == self.steps and all(
            sum(w.sizes) == len(rows) for w, rows in zip(windows, self.rows, strict=True)
        )
        return windows if fit else ()

    @cached_property
    def shares(self) -> Array | None:
        """How often the penalties are in the gradient of each step ``(K,)``; None where it is once in all of them."""
        share = np.array([window.share for window in self.windows])
        own = None if not len(share) or np.all(share == 1) else share
        if own is None or self.penalty_times is None:
            return self.penalty_times if own is None else own
        return own * self.penalty_times

    @cached_property
    def live(self) -> dict[str, Array]:
        """Which steps train each parameter that the experiment freezes at some time ``(K,)``."""
        return live(self.form.freeze, self.steps)

    @property
    def additions(self) -> int | None:
        """How many roundings the sum of a parameter's gradients has at most, where they are accumulated: its additions,
        and one division by m; and those of a reduction over ranks.
        """
        if not self.windows:
            return None
        pieces = 1 + PIECES * len(self.form.in_gradient.terms)
        reduced = REDUCTION if any(window.ranks > 1 for window in self.windows) else 0
        return max(len(window.sizes) for window in self.windows) * pieces + reduced

    @property
    def consistent(self) -> bool:
        """Whether what is given by step is given for each of its steps, and each decay to an optimizer that has one."""
        if not all(hasattr(self.form.optimizers.get(name), "weight_decay") for name in self.decay_times):
            return False
        parts = [part for field in fields(self) for part in _several(getattr(self, field.name))]
        if self.row_times is not None and [len(q) for q in self.row_times] != [len(rows) for rows in self.rows]:
            return False
        return all(len(part) == self.steps for part in parts if isinstance(part, np.ndarray))

    @cached_property
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
        kept = self.with_order(tuple(batches for batches in order if batches))
        return replace(kept, material=replace(kept.material, windows=self.material.windows[:steps]))

    def rates(self, name: str) -> Array:
        """η_k of a parameter ``(K,)``."""
        moved = scheduled(self.form.optimizers[name], self.form.schedule, self.advances)
        return np.broadcast_to(np.asarray(hyper_parameters(moved)["lr"], float), (self.steps,))

    # -- one step ----------------------------------------------------------------------------------------------------

    def raw(self, steps: Any, problem: Problem, data_gradient: Params, params: Params) -> dict[str, Any]:
        """r_k ``(runs, …)`` from the gradient of the data loss; ``steps``: one k for each run, or one for all."""
        summands: dict[str, list[Any]] = {name: [data_gradient[name]] for name in params}
        for name, penalty in problem.terms:
            if name in self.splits:
                continue
            term: Any = penalty.subgradient(params[name])
            times = None if self.shares is None else like(term, self.shares[steps])
            summands[name].append(term if times is None else times * term)
        for name, by in self.added.items():
            summands[name].append(like(params[name], by[steps]) * params[name])
        return {name: add_in_any_order(terms, self.additions) for name, terms in summands.items()}

    def mixed(self, k: int, raw: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Σ_j M_kj·r_j of step k, from the gradients r_0 … r_k; only the last is needed where nothing is mixed."""
        if self.mixing is None:
            return raw[-1]
        used = [(m, r) for m, r in zip(self.mixing[k], raw, strict=False) if m] or [(0.0, raw[-1])]
        return {name: add_in_any_order([like(r[name], m) * r[name] for m, r in used]) for name in raw[-1]}

    def seen(self, steps: Any, mixed: dict[str, Any]) -> dict[str, Any]:
        """u_k ``(runs, …)`` from the mixed gradients of the same steps."""
        for name, alive in self.live.items():
            g = mixed[name]
            mixed = mixed | {name: np.where(alive[steps].reshape(-1, *(1,) * (g.ndim - 1)), g, 0 * g)}
        mixed = mixed if self.form.clip is None else self.form.clip(mixed)
        for twist in self.twists:
            mixed = twist(mixed)
        return mixed | {name: like(mixed[name], by[steps]) * mixed[name] for name, by in self.scale.items()}

    def after(self, name: str, steps: Any, optimizer: Any, param: Any, gradient: Any, state: Any) -> tuple[Any, Any]:
        """The parameter and the state after step k, by an optimizer with the hyper-parameters in effect.

        ``steps``: k, or one for each run: such as have the same ``calls`` and the same ``resets``.
        """
        if name in self.frozen:
            return param, state
        shrink, beside = (like(param, of[name][steps]) if name in of else None for of in (self.shrink, self.beside))
        calls, reset = self.turns(name, steps)
        if reset or (not state and calls):
            state = {**optimizer.init(param), **self._remembered(state)}
        penalties = [penalty for own, penalty in self.form.in_gradient.terms if own == name]
        made = param
        for call in range(calls):
            if name in self.splits:
                of_rows, of_penalty = self.splits[name][call]
                given = of_rows * gradient + sum(of_penalty * penalty.subgradient(made) for penalty in penalties)
            else:
                given = gradient
            made, state = after(optimizer, made, given, state)
        if self.state_format is not None:
            state = {k: value if k == COUNT else rounded(value, self.state_format) for k, value in state.items()}
        made = made if shrink is None else made * (1 - shrink)
        made = made if beside is None else made - beside * param
        return (made if self.weights_format is None else rounded(made, self.weights_format)), state

    def _remembered(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The entries of a state that the optimizer does not forget."""
        return {key: value for key, value in state.items() if self.forgets and key not in self.forgets}

    def turns(self, name: str, steps: Any) -> tuple[int, bool]:
        """How often the optimizer of a parameter is called at a step, or the first of some, and whether it is new."""
        first = int(np.min(steps))
        if name in self.live and not self.live[name][first]:
            return 0, False
        calls = self.calls.get(name) if isinstance(self.calls, Mapping) else self.calls
        return 1 if calls is None else int(calls[first]), self.resets is not None and bool(self.resets[first])

    # -- with another part -------------------------------------------------------------------------------------------

    def with_loss(self, loss: Loss) -> Design:
        return self._with(in_gradient=replace(self.form.in_gradient, loss=loss))

    def with_model(self, model: Model) -> Design:
        return self._with(in_gradient=replace(self.form.in_gradient, model=model))

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


def _several(part: Any) -> tuple[Any, ...]:
    """The values of a part by parameter, or the part itself where it is one for all."""
    return tuple(part.values()) if isinstance(part, Mapping) else (part,)


def joining(design: Design, optimizer: Callable[[str, int], Any]) -> Join | None:
    """What puts the sums over all parameters that step k moves beside their states; None where none shares any.

    ``optimizer(name, k)``: with its hyper-parameters in effect.
    """
    if not any(isinstance(each, Joint) for each in design.form.optimizers.values()):
        return None

    def join(k: int, params: Mapping[str, Any], given: Mapping[str, Any], states: States) -> States:
        moved = {n: param for n, param in params.items() if n not in design.frozen and design.turns(n, k)[0]}
        return together({name: optimizer(name, k) for name in params}, moved, given, states)

    return join


def check_linear(experiment: Experiment) -> None:
    """Raise :class:`InputError` for a model whose runs cannot be explained."""
    if not isinstance(experiment.model, LinearModel):
        raise InputError(
            f"{experiment.name}: has the model {type(experiment.model).__name__}; what differs can be explained for "
            "linear models; `parity run` judges any model, parity.watch the optimizer of your own"
        )


def as_asked(experiment: Experiment) -> Design:
    """The design of correct code. Coupled decay of an optimizer is stated as the L2 penalty that it equals.

    It equals none where gradients are clipped, of frozen parameters, or divided by more batches than they are of: decay
    is added after that.

    Raises :class:`InputError` for any other model than a linear one.
    """
    check_linear(experiment)
    form = realise(experiment, "loss")
    penalties, optimizers = list(form.in_gradient.penalties), dict(form.optimizers)
    material = experiment.draw()
    equals = form.clip is None and not form.freeze and all(window.share == 1 for window in material.windows)
    for name, optimizer in form.optimizers.items():
        decay = getattr(optimizer, "weight_decay", 0.0)
        if equals and optimizer.decay == "coupled" and not is_zero(decay) and not getattr(optimizer, "maximize", False):
            penalties.append(L2(strength=decay, parameters=(name,)))
            optimizers[name] = replace(optimizer, weight_decay=0.0)  # type: ignore[type-var]  # a dataclass
    in_gradient = replace(form.in_gradient, penalties=tuple(penalties))
    return Design(form=replace(form, in_gradient=in_gradient, optimizers=optimizers), material=material)
