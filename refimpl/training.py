"""The only training loop: every run of the reference goes through it, batched over runs.

::

    for each epoch, for each batch (X_B, y_B):
        ŷ   = model(params, X_B)                       with the step's mask, where the model drops units
        g_i = ∂J/∂params on the batch                  or on the micro-batches of a window
        g_i ← clip(g_i)                                of the parameters that are not frozen, where it is asked for
        (params, state) ← optimizer.step(params, g, state)      with the schedule's hyper-parameters, and with the sums
                                                                over all parameters, where it asks for such
        e_i ← average(e_i, params)                     where an average of the weights is asked for

Data, initial weights and the order of batches are arguments, so that every framework is given the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from refimpl.accumulation import Window, accumulated, masked
from refimpl.arithmetic.lift import align
from refimpl.averaging import EMA, SWA
from refimpl.batches import Order
from refimpl.clipping import Clip
from refimpl.errors import ParameterError, ShapeError
from refimpl.freezing import Freeze, live
from refimpl.joint import together
from refimpl.problem import Problem
from refimpl.ranges import number_fields
from refimpl.reductions import norm
from refimpl.stepping import is_zero
from refimpl.trajectory import Trajectory
from refimpl.types import Array, Dropping, Model, Number, Optimizer, Params, Schedule, State


@dataclass(frozen=True, kw_only=True)
class Group:
    """Parameters that share an optimizer and its hyper-parameters."""

    parameters: tuple[str, ...]
    optimizer: Optimizer


def hyper_parameters(optimizer: Optimizer) -> dict[str, Number]:
    """The numbers of an optimizer by name."""
    return {name: getattr(optimizer, name) for name in number_fields(type(optimizer))}


def scheduled(optimizer: Optimizer, schedule: Schedule, count: Any) -> Optimizer:
    """The optimizer with the hyper-parameters that the schedule sets after ``count`` advances (or an array of them)."""
    changes = schedule.at(count, hyper_parameters(optimizer))
    return replace(optimizer, **changes) if changes else optimizer  # type: ignore[type-var]  # optimizers are dataclasses


def optimizer_of_each(groups: Sequence[Group], model_ndim: Mapping[str, int]) -> dict[str, Optimizer]:
    """Parameter → optimizer, hyper-parameters per run shaped to meet it; every parameter in exactly one group."""
    optimizers: dict[str, Optimizer] = {}
    for group in groups:
        for name in group.parameters:
            if name not in model_ndim or name in optimizers:
                problem = "is in two groups" if name in optimizers else "is no parameter of the model"
                raise ParameterError(
                    "groups", given=f"{name!r}, which {problem}", allowed=", ".join(model_ndim), remedy="name each once"
                )
            optimizers[name] = align(group.optimizer, model_ndim[name])
    missing = [name for name in model_ndim if name not in optimizers]
    if missing:
        raise ParameterError(
            "groups", given=f"no group for {', '.join(missing)}", allowed="one group per parameter", remedy="add it"
        )
    return optimizers


def train(
    problem: Problem,
    groups: Sequence[Group],
    params: Params,
    X: Array,
    y: Array,
    order: Order,
    *,
    schedule: Schedule | None = None,
    validation: tuple[Array, Array] | None = None,
    masks: Sequence[Array] = (),
    windows: Sequence[Window] = (),
    clip: Clip | None = None,
    freeze: Sequence[Freeze] = (),
    average: EMA | SWA | None = None,
    record: Literal["everything", "losses"] = "everything",
) -> Trajectory:
    """Train and record.

    ``params``: ``(runs, …)`` each; ``X`` ``(runs or 1, n, p)``; ``y`` ``(runs or 1, n, 1)``; ``order`` from
    :meth:`refimpl.batches.Batches.draw`; ``validation``: another ``(X, y)``, evaluated once per epoch.
    ``masks``: of each step, from :func:`draw_masks`, for a model that drops units; losses of all rows have none.
    ``windows``: of each step, from :meth:`refimpl.accumulation.Accumulation.windows`, where gradients are accumulated.
    ``record="losses"`` keeps losses, norms and the final parameters only, for sweeps over many runs.
    Raises :class:`ShapeError` and :class:`ParameterError`.
    """
    check_shapes(problem, params, X, y)
    if validation is not None:
        check_shapes(problem, params, *validation)
    keep_freed_memory()
    base = optimizer_of_each(groups, problem.model.ndim)
    params = {name: np.array(param) for name, param in params.items()}
    state: dict[str, State] = {name: optimizer.init(params[name]) for name, optimizer in base.items()}
    recorder = _Recorder(problem, params, state, everything=record == "everything")
    recorder.epoch(params, X, y, validation)
    trained = live(freeze, sum(map(len, order)))
    of_weights = {} if average is None else {name: align(average, ndim) for name, ndim in problem.model.ndim.items()}
    averages: dict[str, Array] = {}
    optimizers, step = base, 0
    for epoch, batches in enumerate(order):
        rows = np.concatenate(batches)
        X_epoch, y_epoch = (np.take(array, rows, axis=1) for array in (X, y))
        start = 0
        for batch in batches:
            stop = start + len(batch)
            X_batch, y_batch = X_epoch[:, start:stop], y_epoch[:, start:stop]
            start = stop
            if schedule is not None:
                count = epoch if schedule.per == "epoch" else step
                optimizers = {name: scheduled(optimizer, schedule, count) for name, optimizer in base.items()}

            mask = masks[step] if masks else None
            if windows:
                loss, objective, gradient = accumulated(problem, windows[step], params, X_batch, y_batch, mask)
            else:
                of_step = masked(problem, mask)
                outputs = of_step.model.forward(params, X_batch)
                loss = problem.loss.value(outputs, y_batch)
                objective = problem.objective_from(loss, params)
                gradient = of_step.gradient_from(outputs, params, X_batch, y_batch)

            frozen = [name for name in trained if not trained[name][step]]
            gradient |= {name: np.zeros_like(gradient[name]) for name in frozen}
            gradient = gradient if clip is None else clip(gradient)
            moved = [name for name in params if name not in frozen]
            ready = together(optimizers, {name: params[name] for name in moved}, gradient, state)
            stepped = {name: optimizers[name].step(params[name], gradient[name], ready[name]) for name in moved}
            params = {**params, **{name: param for name, (param, _) in stepped.items()}}
            state = {**state, **{name: new for name, (_, new) in stepped.items()}}
            averages = {name: each(averages.get(name), params[name], step) for name, each in of_weights.items()}
            recorder.step(loss, objective, gradient, params, state, averages)
            step += 1
        recorder.epoch(params, X, y, validation)
    return recorder.trajectory()


class _Recorder:
    """What a run was at its start, after each step, and after each epoch; only the last weights unless ``everything``
    is kept."""

    def __init__(self, problem: Problem, params: Params, state: Mapping[str, State], *, everything: bool) -> None:
        self.problem, self.everything = problem, everything
        self.params, self.state = [params], [state]
        self.gradients: list[Mapping[str, Array]] = []
        self.averages: list[Mapping[str, Array]] = []
        self.loss: list[Array] = []
        self.objective: list[Array] = []
        self.norms = [self._norm(params)]
        self.train_loss: list[Array] = []
        self.validation_loss: list[Array] = []

    def step(
        self,
        loss: Array,
        objective: Array,
        gradient: Mapping[str, Array],
        params: Params,
        state: Mapping[str, State],
        averages: Mapping[str, Array],
    ) -> None:
        """The losses and gradients before a step, the parameters, the state and the averages after it."""
        self.loss.append(loss)
        self.objective.append(objective)
        self.norms.append(self._norm(params))
        if not self.everything:
            self.params, self.averages = [params], [averages]
            return
        self.params.append(params)
        self.gradients.append(gradient)
        self.state.append(state)
        self.averages.append(averages)

    def epoch(self, params: Params, X: Array, y: Array, validation: tuple[Array, Array] | None) -> None:
        """The losses of all rows."""
        self.train_loss.append(self.problem.data_loss(params, X, y))
        if validation is not None:
            self.validation_loss.append(self.problem.data_loss(params, *validation))

    def _norm(self, params: Params) -> Array:
        return norm(*(params[name] for name in self.problem.model.weights))

    def trajectory(self) -> Trajectory:
        """The whole record, with the steps as the leading axis."""
        last = self.params[-1]
        return Trajectory(
            params={name: np.stack([moment[name] for moment in self.params]) for name in last},
            gradients={name: np.stack([each[name] for each in self.gradients]) for name in last if self.gradients},
            state=stack_states(self.state) if self.everything else {},
            averages={
                name: np.stack([each[name] for each in self.averages])
                for name in self.problem.model.ndim
                if any(self.averages)
            },
            loss=np.array(self.loss),
            objective=np.array(self.objective),
            norm=np.array(self.norms),
            train_loss=np.array(self.train_loss),
            validation_loss=np.array(self.validation_loss) if self.validation_loss else None,
            formats={},
            meta={"backend": "reference", "dtype": str(last[self.problem.model.weights[0]].dtype)},
        )


def draw_masks(model: Model, order: Order, rng: np.random.Generator) -> tuple[Array, ...]:
    """The mask of every step, in order; none for a model that drops nothing."""
    if not isinstance(model, Dropping) or is_zero(model.dropout):
        return ()
    return tuple(model.draw_mask(len(rows), rng) for batches in order for rows in batches)


def keep_freed_memory() -> None:
    """Let the C library keep freed temporaries for the next step: 3 times faster where a step's arrays exceed 128 KiB.

    glibc raises its thresholds for returning memory to the system when a large block is freed; this block is never
    touched and costs no memory. Elsewhere it does nothing.
    """
    np.empty(2**24, np.uint8)


def stack_states(states: Sequence[Mapping[str, State]]) -> dict[str, dict[str, Array]]:
    """Per parameter and key the states that exist, along a leading axis of steps."""
    last = states[-1]
    return {
        name: {key: np.stack([s[name][key] for s in states if key in s[name]]) for key in last[name]} for name in last
    }


def check_shapes(problem: Problem, params: Params, X: Array, y: Array) -> None:
    """Raise :class:`ShapeError` unless data and parameters fit the model and one another."""
    if X.ndim != 3 or y.ndim != 3 or y.shape[2] != 1 or X.shape[1] != y.shape[1] or X.shape[1] == 0:
        raise ShapeError(
            "X, y",
            given=f"{X.shape} and {y.shape}",
            allowed="(runs or 1, n, p) and (runs or 1, n, 1)",
            remedy="reshape",
        )
    shapes = problem.model.shapes(X.shape[2])
    if set(params) != set(shapes):
        raise ParameterError("params", given=sorted(params), allowed=str(sorted(shapes)), remedy="give each parameter")
    runs = {len(param) for param in params.values()}
    for name, shape in shapes.items():
        if params[name].shape[1:] != shape or len(runs) != 1 or len(X) not in {1, *runs} or len(y) not in {1, *runs}:
            raise ShapeError(
                name,
                given=f"{params[name].shape} with X {X.shape} and y {y.shape}",
                allowed=f"(runs, {', '.join(map(str, shape))}), the same runs everywhere or 1 for the data",
                remedy="add the leading axis of runs",
            )
