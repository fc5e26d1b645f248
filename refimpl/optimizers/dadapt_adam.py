"""D-Adapt Adam: Adam whose rate is a lower bound d of the distance to the solution, found from its own gradients.

Sums ⟨·,·⟩ and ‖·‖₁ are over all parameters together, which share the numbers d and r::

    g ← g + λw                                              coupled decay
    γ = ηd·√c₂/c₁                                           cᵢ = 1 − βᵢᵗ, both 1 without ``bias_correction``
    r ← βr + (1 − β)γ·⟨g, s/(√v + ε)⟩                       β = √β₂; s and v of the gradients before
    m ← β₁m + γ(1 − β₁)g                v ← β₂v + (1 − β₂)g²
    s ← βs + γ(1 − β)g
    d̂ = r / ((1 − β)‖s‖₁)
    w ← w(1 − γλ)                                           decoupled decay
    w ← w − m / (√v + ε)
    d ← max(d, min(d̂, q·d))                                 q: ``growth_rate``

At first d = d₀ and m = v = s = r = 0. As long as s = 0 nothing happens.

Source: Defazio & Mishchenko, "Learning-Rate-Free Learning by D-Adaptation", ICML 2023, arXiv:2301.07733, the Adam
variant, as in ``dadaptation``, the package of its authors: the v of r is that of the gradients before, in which g has
no part. q, the decay and ``bias_correction`` are the package's, too.

With ``bias_correction`` γ has the correction in the decay, too, where AdamW has none: so it is in ``dadaptation`` and
in ``optax``, which is the same with ``bias_correction=True`` and the decoupled decay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from refimpl.arithmetic.kernels import fused, item, larger, smaller
from refimpl.errors import ParameterError
from refimpl.joint import of_run
from refimpl.ranges import NonNegative, Range, Rates, check_fields
from refimpl.stepping import count_step, is_zero
from refimpl.types import Array, Decay, Number, State


@dataclass(frozen=True, kw_only=True)
class DAdaptAdam:
    """State: ``step``, ``d`` and ``numerator_weighted`` r, ``(runs,)``, which all parameters share; of the parameter's
    shape ``exp_avg`` m, ``exp_avg_sq`` v and ``s``.

    All of it is absent before the first step. ``growth_rate``: None for no limit. Raises
    :class:`~refimpl.errors.ParameterError` for d₀ = 0, from which no distance grows.
    """

    shared: ClassVar[tuple[str, ...]] = ("step", "d", "numerator_weighted")
    lr: NonNegative = 1.0
    betas: Rates = (0.9, 0.999)
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: bool = False
    bias_correction: bool = False
    d0: NonNegative = 1e-6
    growth_rate: Annotated[Number | None, Range(low=1, optional=True)] = None

    def __post_init__(self) -> None:
        check_fields(self)
        if is_zero(self.d0):
            raise ParameterError("d0", given="0", allowed="a finite number > 0", remedy="change d0")

    @property
    def decay(self) -> Decay:
        return "decoupled" if self.decoupled_weight_decay else "coupled"

    def init(self, param: Array) -> State:
        del param
        return {}

    def addends(self, param: Array, grad: Array, state: State) -> dict[str, Array]:
        """Of this parameter ``product`` ⟨g, s/(√v + ε)⟩, with s and v before the step, and ``length`` ‖s‖₁ after it."""
        g, s = self._gradient(param, grad), self._weighted(param, grad, state)
        way = 0 * g
        if "s" in state:
            way = state["s"] / (np.sqrt(state["exp_avg_sq"]) + self.eps)  # s/(√v + ε)
        g, way, s = (x.reshape(len(param), -1) for x in (g, way, s))
        product: Any = np.vecdot(g, way)  # ⟨g, s/(√v + ε)⟩
        length: Any = fused(lambda x: np.abs(x).sum(axis=-1), s)  # ‖s‖₁
        return {"product": item(product), "length": item(length)}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2 = self.betas
        beta = np.sqrt(beta2)  # √β₂
        sums = {key: of_run(state.get(key, own), param) for key, own in self.addends(param, grad, state).items()}
        count, _ = count_step(state, param)
        d, gamma = self._distance(param, state)
        g, s = self._gradient(param, grad), self._weighted(param, grad, state)
        m = beta1 * state.get("exp_avg", 0) + gamma * (1 - beta1) * g  # β₁m + γ(1 − β₁)g
        v = beta2 * state.get("exp_avg_sq", 0) + (1 - beta2) * g * g  # β₂v + (1 − β₂)g²
        r = beta * of_run(state.get("numerator_weighted", 0), param)  # βr
        r = r + (1 - beta) * gamma * sums["product"]  # + (1 − β)γ·⟨g, s/(√v + ε)⟩
        begun = sums["length"] > 0
        found = r / np.where(begun, (1 - beta) * sums["length"], 1)  # r/((1 − β)‖s‖₁)
        if self.growth_rate is not None:
            found = smaller(found, self.growth_rate * d)  # min(d̂, q·d)
        w = param
        if self.decoupled_weight_decay and not is_zero(self.weight_decay):
            w = w * (1 - gamma * self.weight_decay)  # w(1 − γλ)
        w = w - m / np.where(begun, np.sqrt(v) + self.eps, 1)  # w − m/(√v + ε)
        numbers = {"d": larger(d, found), "numerator_weighted": r}  # max(d, d̂)
        return np.where(begun, w, param), {
            "step": count,
            "exp_avg": m,
            "exp_avg_sq": v,
            "s": s,
            **{key: number.reshape(len(param)) for key, number in numbers.items()},
        }

    def _distance(self, param: Array, state: State) -> tuple[Any, Any]:
        """d before the step, and the rate γ."""
        d = of_run(state.get("d", self.d0), param)
        if not self.bias_correction:
            return d, d * self.lr  # ηd
        beta1, beta2 = self.betas
        _, t = count_step(state, param)
        return d, d * self.lr * (np.sqrt(1 - beta2**t) / (1 - beta1**t))  # ηd·√c₂/c₁

    def _gradient(self, param: Array, grad: Array) -> Array:
        coupled = not self.decoupled_weight_decay and not is_zero(self.weight_decay)
        return grad + self.weight_decay * param if coupled else grad  # g + λw

    def _weighted(self, param: Array, grad: Array, state: State) -> Any:
        """s after the step."""
        beta = np.sqrt(self.betas[1])
        _, gamma = self._distance(param, state)
        return beta * state.get("s", 0) + gamma * (1 - beta) * self._gradient(param, grad)  # βs + γ(1 − β)g
