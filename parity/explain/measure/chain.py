"""A recorded run beside the asked experiment: what each link of its steps was, and what it should have been."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from parity.explain.measure.given import Given, inverted, recorded
from parity.explain.measure.rows import Rows, measure
from parity.explain.measure.series import Series
from parity.explain.observed import Observed
from parity.step.arithmetics import PLAIN
from parity.step.design import Design
from parity.step.engine import Engine
from refimpl.accumulation import Window
from refimpl.models import Linear
from refimpl.optimizers import OPTIMIZERS
from refimpl.types import Array

SLACK = 8.0
"""How many error bars a formula may be off what was measured to be tried: what is tried is proven afterwards."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A gradient in parts, ``(K, n)`` each: ``data`` of the weight, ``penalty`` of the weight, ``bias``: what the bias
    gets beside Σδ; ``weight`` and ``total_bias``: the sums."""

    data: Array
    penalty: Array
    bias: Array | None
    weight: Array
    total_bias: Array | None

    @property
    def whole(self) -> dict[str, Array]:
        """The sums of the parameters that there are."""
        sums = {"weight": self.weight, "bias": self.total_bias}
        return {name: values for name, values in sums.items() if values is not None}


@dataclass(frozen=True)
class Chain:
    """``design``: what was asked; ``given``: the gradient that is explained; ``engine``: the record."""

    design: Design
    engine: Engine
    given: Given | None
    observed: Observed | None = None
    _cache: dict[int, tuple[Design, Parts | None]] = field(default_factory=dict)

    @cached_property
    def X(self) -> Array:
        """The inputs as the run had them ``(n, p)``."""
        X: Array = self.engine.passes.inputs(self.design)["X"][0]
        return X

    @cached_property
    def y(self) -> Array:
        """The targets ``(n,)``."""
        targets: Array = self.engine.passes.inputs(self.design)["y"][0, :, 0]
        return targets

    @cached_property
    def w(self) -> Array:
        """The weights at which the gradient of each step is asked for ``(K, p)``."""
        weights = self.engine.passes.weights(self.design, slice(None), PLAIN)["weight"]
        flat: Array = weights.reshape(len(weights), -1)
        return flat

    @cached_property
    def b(self) -> Array:
        """The bias at which the gradient of each step is asked for ``(K,)``, zeros where the model has none."""
        bias = self.engine.passes.weights(self.design, slice(None), PLAIN).get("bias")
        return np.zeros(len(self.w)) if bias is None else bias.reshape(-1)

    @property
    def steps(self) -> int:
        return self.design.steps

    def seen(self, changed: Design) -> Design:
        """A design whose optimizer is given the gradients that were recorded, where they were."""
        if self.given is None or self.given.source == "weights":
            return changed
        weights = self.engine.recording.weights
        given = {name: each.reshape(weights[name][1:].shape) for name, each in self.given.value.items()}
        return replace(changed, given=given)

    @property
    def unit(self) -> float:
        """The largest unit roundoff of the recorded weights."""
        recording = self.engine.recording
        return max(recording.format(name).u for name in recording.weights)

    def outputs(self, k: int, rows: Array, at: int | None = None) -> Array:
        """ŷ of some rows at the weights of step k, or of another one."""
        step = k if at is None else at
        made: Array = self.X[rows] @ self.w[step] + self.b[step]
        return made

    def residuals(self, k: int, at: int | None = None) -> Array:
        """r of the asked rows at the weights of step k, or of another one."""
        rows = self.design.rows[k]
        r: Array = self.outputs(k, rows, at) - self.y[rows]
        return r

    @cached_property
    def rows(self) -> Rows | None:
        """The measured part of every row; None where there are no gradients or too few features."""
        if self.given is None:
            return None
        measured = measure(self.given, self.w, self.X, self.design.rows)
        if measured is None or not self.given.unit:
            return measured
        bars = []
        for k, (delta, error) in enumerate(zip(measured.delta, measured.delta_error, strict=True)):
            with np.errstate(all="ignore"):
                times = np.nan_to_num(np.abs(delta / self.delta[k]), posinf=1.0)
            bars.append(error + times * self.forward[k])
        return replace(measured, delta_error=tuple(bars))

    @cached_property
    def of_all_rows(self) -> Rows | None:
        """The measured part of every row of the data; None where the batches' own rows, or other things, explain g."""
        n, p = self.X.shape
        if self.given is None or n + 2 >= p or (self.rows is not None and self.rows.explained):
            return None
        measured = measure(self.given, self.w, self.X, [np.arange(n)] * self.steps, columns=((),))
        return measured if measured is not None and measured.explained else None

    @cached_property
    def forward(self) -> tuple[Array, ...]:
        """How far the asked δ of every row may be off: r is a sum of p products::

        |e| ≤ (p + 8)·u·(|x|·|w| + |b| + |y|)
        """
        assert self.given is not None
        loss: Any = self.design.form.in_gradient.loss
        p = self.X.shape[1]
        bounds = []
        for k, rows in enumerate(self.design.rows):
            size = np.abs(self.X[rows]) @ np.abs(self.w[k]) + abs(self.b[k]) + np.abs(self.y[rows])
            slope = (
                2 * float(getattr(loss, "factor", 1.0)) / (len(rows) if getattr(loss, "reduction", "") == "mean" else 1)
            )
            bounds.append(slope * (p + 8) * self.given.unit * size)
        return tuple(bounds)

    def targets(self, k: int, rows: Rows, some: Array, n: int) -> tuple[Array, Array]:
        """y′ = ŷ − δ·n/(2c) of the rows of step k, n of which the squares were averaged over, with its bars."""
        loss: Any = self.design.form.in_gradient.loss
        scale = 2 * float(loss.factor) / (n if loss.reduction == "mean" else 1)
        return self.outputs(k, some) - rows.delta[k] / scale, SLACK * rows.delta_error[k] / scale

    @cached_property
    def counts(self) -> tuple[list[Array], list[Array]]:
        """How often each row of every batch counted, δ ÷ the asked δ, with its bars."""
        rows = self.rows
        assert rows is not None
        with np.errstate(all="ignore"):
            q = [d / a for d, a in zip(rows.delta, self.delta, strict=True)]
            return q, [SLACK * e / np.abs(a) for e, a in zip(rows.delta_error, self.delta, strict=True)]

    @cached_property
    def alike(self) -> Series | None:
        """How often all rows of a step counted; None where they may not count alike."""
        pairs = [*zip(*self.counts, strict=True)]
        low = np.array([np.max(q - bar) for q, bar in pairs])
        high = np.array([np.min(q + bar) for q, bar in pairs])
        return Series((low + high) / 2, (high - low) / 2) if np.all(low <= high) else None

    @property
    def norm(self) -> Array:
        """‖g‖ of the gradient that is explained, of all parameters together ``(K,)``."""
        assert self.given is not None
        norm: Array = np.linalg.norm(np.concatenate([*self.given.value.values()], axis=1), axis=1)
        return norm

    @cached_property
    def asked(self) -> Parts:
        parts = self.parts(self.design)
        assert parts is not None
        return parts

    @cached_property
    def delta(self) -> tuple[Array, ...]:
        """The asked δ of every row of every batch: ∂L/∂ŷ at the recorded weights."""
        loss = self.design.form.in_gradient.loss
        deltas = []
        for k, rows in enumerate(self.design.rows):
            outputs, targets = self.outputs(k, rows)[None, :, None], self.y[rows][None, :, None]
            window = self.design.windows[k] if self.design.windows else Window((len(rows),), 1)
            divisor = window.divisor * window.world
            parts = [loss.gradient(outputs[:, some], targets[:, some]) / divisor for some in window.slices]
            deltas.append(np.concatenate(parts, axis=1)[0, :, 0])
        return tuple(deltas)

    def parts(self, design: Design) -> Parts | None:
        """What a design's gradients are made of at the recorded weights; None where they are not made of these."""
        key = id(design)
        if key not in self._cache:
            self._cache[key] = design, self._parts(design)  # the design is kept, so that no other gets its number
        return self._cache[key][1]

    def _parts(self, design: Design) -> Parts | None:
        """Computed at the recorded weights."""
        if design.steps != self.steps:
            return None
        with np.errstate(all="ignore"):
            total = _flat(self.engine.gradients(design, None))
            data = _flat(self.engine.data_gradients(design, None))
        separate = design.mixing is None and not design.twists and type(design.form.in_gradient.model) is Linear
        zero = np.full_like(total["weight"], np.nan)
        beside = total["bias"] - data["bias"] if "bias" in total else None
        return Parts(
            data=data["weight"] if separate else zero,
            penalty=total["weight"] - data["weight"] if separate else zero,
            bias=(beside if separate else np.full_like(total["bias"], np.nan)) if beside is not None else None,
            weight=total["weight"],
            total_bias=total.get("bias"),
        )

    @cached_property
    def measured(self) -> Parts | None:
        """The parts as they were measured; None where the rows do not explain the gradient."""
        if self.given is None:
            return None
        rows, value = self.rows, self.given.value
        if rows is None or not rows.explained:
            none = np.full_like(value["weight"], np.nan)
            return Parts(data=none, penalty=none, bias=None, weight=value["weight"], total_bias=value.get("bias"))
        data = np.stack([d @ self.X[some] for d, some in zip(rows.delta, rows.rows, strict=True)])
        return Parts(
            data=data,
            penalty=value["weight"] - data,
            bias=None if rows.added is None else rows.added[:, None],
            weight=value["weight"],
            total_bias=value.get("bias"),
        )

    @cached_property
    def bars(self) -> Parts:
        """How far each part may be off."""
        assert self.given is not None
        rows, error = self.rows, self.given.error
        none = np.full_like(error["weight"], np.inf)
        if rows is None or not rows.explained:
            return Parts(data=none, penalty=none, bias=None, weight=error["weight"], total_bias=error.get("bias"))
        spread = np.stack([e @ np.abs(self.X[some]) for e, some in zip(rows.delta_error, rows.rows, strict=True)])
        return Parts(
            data=spread,
            penalty=spread + error["weight"],
            bias=None if rows.added_error is None else rows.added_error[:, None],
            weight=error["weight"],
            total_bias=error.get("bias"),
        )

    def same(self, part: str, other: Parts, steps: Array | None = None, *, slack: float = SLACK) -> bool:
        """Whether a part is measured as it is in another gradient, in all steps or in some."""
        if "bias" in part and self.idle("bias"):
            return True
        mine, its, bar = (getattr(each, part) for each in (self.measured, other, self.bars))
        if mine is None or its is None:
            return mine is None and its is None
        with np.errstate(all="ignore"):
            return bool(np.all((np.abs(mine - its) <= slack * bar)[slice(None) if steps is None else steps]))

    def idle(self, name: str) -> bool:
        """Whether a parameter is not to move at all, so that its gradient has no effect."""
        return name in self.design.form.optimizers and not np.any(self.design.rates(name))

    def as_asked(self, part: str, slack: float = SLACK) -> bool:
        """Whether a part is measured as it was asked; with a ``slack`` of 1 no correct code can be farther off."""
        return self.same(part, self.asked, slack=slack)


def _flat(gradients: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.asarray(values, float).reshape(len(values), -1) for name, values in gradients.items()}


COUPLED = ("SGD", "Adam", "RMSprop", "Adagrad", "Adadelta", "NAdam", "RAdam", "Adamax", "ASGD", "Rprop")
"""torch's optimizers that add λw to the gradient."""


def chain_of(design: Design, engine: Engine, observed: Observed | None) -> Chain:
    """The chain of a record, its gradients as the optimizer saw them, else from the backward pass or the weights.

    A class that is not torch's may add λw by itself or not: it is taken to do so where that gives the asked gradient.
    """
    if observed is not None:
        for gradients, source in ((observed.seen, "optimizer"), (observed.raw, "backward")):
            plain = recorded(_decayed(gradients, design, engine, observed), design, engine, source)  # type: ignore[arg-type]
            if plain is None:
                continue
            chain = Chain(design, engine, plain, observed)
            if chain.as_asked("weight") and chain.as_asked("total_bias"):
                return chain
            own = recorded(_decayed(gradients, design, engine, observed, own=True), design, engine, source)  # type: ignore[arg-type]
            other = Chain(design, engine, own, observed)
            return other if other.as_asked("weight") and other.as_asked("total_bias") else chain
    return Chain(design, engine, inverted(design, engine), observed)


def with_design(chain: Chain, design: Design) -> Chain:
    """The chain of the same record beside another design of as many steps."""
    return Chain(design, chain.engine, chain.given, chain.observed)


def decays_itself(observed: Observed | None) -> bool:
    """Whether a class that is not torch's has a λ in its parameter groups: what it does with it is not known."""
    if observed is None:
        return False
    decays = (observed.numbers.get(name, {}).get("weight_decay") for name in observed.optimizer)
    unknown = any(each.lower() not in OPTIMIZERS for each in observed.optimizer.values())
    return unknown and any(np.any(np.nan_to_num(each)) for each in decays if each is not None)


def _decayed(
    gradients: Mapping[str, Array], design: Design, engine: Engine, observed: Observed, *, own: bool = False
) -> dict[str, Array]:
    """With λw added where the optimizer does it, by the λ of its parameter group: all that is averaged or stepped.

    ``own``: so do classes that are not torch's.
    """
    decayed = {}
    for name, values in gradients.items():
        numbers = observed.numbers.get(name, {})
        decay = numbers.get("weight_decay")
        kind = observed.optimizer.get(name, "")
        coupled = kind in COUPLED or (own and kind.lower() not in OPTIMIZERS)
        coupled = coupled and not np.any(np.nan_to_num(numbers.get("decoupled_weight_decay", 0.0)))
        flat = np.asarray(values, float).reshape(len(values), -1)
        if decay is not None and coupled and name in engine.recording.weights and len(decay) == len(flat):
            weights = design.begins.get(name, engine.recording.weights[name][:-1])
            sign = np.where(np.nan_to_num(numbers.get("maximize", np.zeros(1))) > 0, -1.0, 1.0)
            lam = np.asarray(decay, float)
            known = np.isfinite(lam)
            lam = np.where(known, lam, lam[known][0] if known.any() else 0.0)  # of steps that the optimizer left out
            flat = sign[:, None] * flat + lam[:, None] * weights.reshape(len(flat), -1)
        decayed[name] = flat
    return decayed
