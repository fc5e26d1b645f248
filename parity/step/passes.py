"""Forward and backward passes at the weights that a run recorded, in any arithmetic: steps are the axis of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from parity.step.arithmetics import Arithmetic, Rounding, like
from parity.step.design import Design
from parity.step.recording import Recording
from refimpl.accumulation import Window, masked
from refimpl.arithmetic.bounded import Bounded
from refimpl.arithmetic.formats import FORMATS
from refimpl.arithmetic.operations import concatenate
from refimpl.arithmetic.sums import add_in_any_order
from refimpl.types import Array

CHUNK = 200_000
"""Elements of the data, or of the parameters, that one pass may hold."""


ROUNDINGS = 4
"""The roundings of weights that a design computed from the recorded ones."""


@dataclass(frozen=True)
class Pass:
    """The pass of ``steps``, which have batches of one size n: ``params`` ``(steps, …)``, ``X`` ``(steps, n, p)``.

    Where gradients are accumulated, or ranks share the work, the steps have micro-batches B_j of the same sizes, and::

        L = Σⱼ L(B_j)/m/W      δ of the rows of B_j is ∂L(B_j)/∂ŷ/m, and the sum of what the ranks make of it is divided
                               by W

    With a rounding error of at most e_r of rank r's gradient g_r, and n = R + k roundings, k of the divisions before
    and after the sum and of the format in which it is sent, any order of the reduction gives the sum of the g_r up to
    Σe_r + γₙ·Σ(|g_r| + e_r).
    """

    design: Design
    steps: Array
    problem: Any
    params: dict[str, Any]
    X: Any
    y: Any
    mask: Any = None

    @property
    def window(self) -> Window:
        """The micro-batches of each of the steps; a batch that is one step is one of them."""
        return self.design.windows[self.steps[0]] if self.design.windows else Window((self.X.shape[1],), 1)

    @cached_property
    def outputs(self) -> Any:
        """ŷ ``(steps, n, outputs)``."""
        return masked(self.problem, self.mask).model.forward(self.params, self.X)

    @cached_property
    def loss(self) -> Any:
        """The loss of each batch without penalties, ``(steps,)``."""
        if not self.design.windows:
            return self.problem.loss.value(self.outputs, self.y)
        rows, m, world = self.window.slices, self.window.divisor, self.window.world
        total = sum(self.problem.loss.value(self.outputs[:, some], self.y[:, some]) / m for some in rows)
        return total / world if world > 1 else total

    @property
    def objective(self) -> Any:
        """The loss of each batch with the penalties that the design has in the gradient."""
        if self.design.shares is None:
            return self.problem.objective_from(self.loss, self.params)
        penalty = self.problem.objective_from(0 * self.loss, self.params)
        return self.loss + like(penalty, self.design.shares[self.steps]) * penalty

    @property
    def upstream(self) -> Any:
        """δ = q·∂loss/∂ŷ ``(steps, n, outputs)``."""
        rows, m, loss = self.window.slices, self.window.divisor, self.problem.loss
        parts = [loss.gradient(self.outputs[:, some], self.y[:, some]) for some in rows]
        upstream = _joined([part / m for part in parts], axis=1) if self.design.windows else parts[0]
        if self.design.row_times is None:
            return upstream
        times = np.stack([self.design.row_times[step] for step in self.steps])
        lifted = Bounded.hyper(times, upstream.profile) if isinstance(upstream, Bounded) else times
        return lifted.reshape(*times.shape, 1) * upstream

    @property
    def data_gradient(self) -> dict[str, Any]:
        """The gradient of the data loss by parameter ``(steps, …)``."""
        return self.backward(self.upstream)

    def backward(self, upstream: Any) -> dict[str, Any]:
        """Σⱼ over the micro-batches of what δ makes of them, by parameter ``(steps, …)``."""
        parts = list[dict[str, Any]]()
        for rows in self.window.slices:
            model = masked(self.problem, None if self.mask is None else self.mask[:, rows]).model
            parts.append(model.backward(self.params, self.X[:, rows], upstream[:, rows]))
        total = {name: add_in_any_order([part[name] for part in parts], self.design.additions) for name in self.params}
        return {name: self._reduced(g) for name, g in total.items()} if self.window.world > 1 else total

    def _reduced(self, total: Any) -> Any:
        """The sum ÷ R."""
        return divided_by_ranks(total, self.window.world, len(self.window.sizes))


def divided_by_ranks(total: Any, divisor: Any, parts: int) -> Any:
    """A sum of so many parts ÷ R. Where they are divided before they are added, each quotient may underflow by τ."""
    reduced = total / divisor
    if not isinstance(reduced, Bounded):
        return reduced
    underflows = parts * reduced.profile.tau(reduced.profile.compute)
    return Bounded(reduced.value, reduced.error + underflows, reduced.profile)


class Passes:
    """All passes over one recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._rounded: dict[int, tuple[Any, dict[str, Array]]] = {}

    def at(self, design: Design, steps: Array, arithmetic: Arithmetic) -> Pass:
        """The pass of steps with batches of one size."""
        rows = np.stack([design.rows[step] for step in steps])
        inputs = self.inputs(design)
        problem = arithmetic.hyper(design.form.in_gradient)
        params = self.weights(design, steps, arithmetic)
        data = [_known(np.take(inputs[name][0], rows, axis=0), inputs[name], design, arithmetic) for name in ("X", "y")]
        masks = design.material.masks
        mask = np.concatenate([masks[step] for step in steps]) if masks else None
        return Pass(design, steps, problem, params, data[0], data[1], mask)

    def weights(self, design: Design, steps: Any, arithmetic: Arithmetic) -> dict[str, Any]:
        """The weights at which gradients are taken: the recorded ones exactly, others as well as they were computed."""
        weights: dict[str, Any] = {}
        for name, recorded in self.recording.weights.items():
            values = design.at.get(name, design.begins.get(name, recorded[:-1]))[steps]
            weights[name] = arithmetic.tensor(values)
            if name in self.recording.written and isinstance(arithmetic, Rounding) and name not in design.begins:
                weights[name] = self.recording.before(name, slice(None, -1), arithmetic.profile)[steps]
            if name in design.at and isinstance(arithmetic, Rounding):
                profile = arithmetic.profile
                weights[name] = Bounded(values, ROUNDINGS * profile.u(profile.compute) * np.abs(values), profile)
        return weights

    def every(self, design: Design, arithmetic: Arithmetic, of: Callable[[Pass], Mapping[Any, Any]]) -> Any:
        """The values that ``of`` makes of the passes, by name ``(K, …)``, for all steps in their order."""
        chunks = self.chunks(design)
        pieces = [of(self.at(design, steps, arithmetic)) for steps in chunks]
        order = np.argsort(np.concatenate(chunks), kind="stable")
        return {name: _joined([piece[name] for piece in pieces])[order] for name in pieces[0]}

    def chunks(self, design: Design) -> Sequence[Array]:
        """All steps in pieces of equal batch size that fit in memory."""
        kinds = design.windows or tuple(Window((len(rows),), 1) for rows in design.rows)
        features, pieces = self.inputs(design)["X"].shape[2], []
        for kind in sorted(set(kinds), key=lambda kind: (sum(kind.sizes), astuple(kind))):
            steps = np.flatnonzero([each == kind for each in kinds])
            per_pass = max(1, CHUNK // max(sum(kind.sizes) * features, self.recording.parameters))
            pieces += np.split(steps, range(per_pass, len(steps), per_pass))
        return pieces

    def inputs(self, design: Design) -> dict[str, Array]:
        """The data as the run had them, or the design's in the dtype of the run: ``X`` and ``y``."""
        if self.recording.inputs:
            return dict(self.recording.inputs)
        dataset = design.material.dataset
        if id(dataset) not in self._rounded:
            format = FORMATS[self.recording.dtype]
            arrays = {name: np.asarray(format.round(getattr(dataset, name)), float) for name in ("X", "y")}
            self._rounded[id(dataset)] = (dataset, arrays)  # keeps alive what the key names
        return self._rounded[id(dataset)][1]


def _joined(pieces: Sequence[Any], axis: int = 0) -> Any:
    return concatenate(pieces, axis) if isinstance(pieces[0], Bounded) else np.concatenate(pieces, axis)


def _known(array: Array, whole: Array, design: Design, arithmetic: Arithmetic) -> Any:
    """Inputs that a design computed from the data are known to some roundings of their largest number only."""
    if not design.uncertain or not isinstance(arithmetic, Rounding):
        return arithmetic.tensor(array)
    profile = arithmetic.profile
    return Bounded(array, design.uncertain * profile.u(profile.compute) * np.max(np.abs(whole)), profile)
