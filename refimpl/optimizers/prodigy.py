"""Prodigy: Adam whose rate is the estimated distance d from the first weights to the solution, found while it runs.

Sums ⟨·,·⟩ and ‖·‖₁ are over all parameters together, which share the numbers d, d_max and r::

    g ← g + λw                                              coupled decay
    γ = ηd·√c₂/c₁                                           cᵢ = 1 − βᵢᵗ, both 1 without ``bias_correction``
    m ← β₁m + (1 − β₁)d·g               v ← β₂v + (1 − β₂)d²g²
    r ← β₃r + (d/d₀)γ·⟨g, w₀ − w⟩       s ← β₃s + (d/d₀)γ·g           with ``safeguard_warmup`` (d/d₀)d·g
    d̂ = κ·r / ‖s‖₁                                          κ: ``d_coef``
    d_max ← max(d_max, d̂)               D = min(d_max, q·d)            q: ``growth_rate``; the first growth is free
    w ← w(1 − γλ)                                           decoupled decay
    w ← w − γ·m / (√v + Dε)             d ← D

w₀: the weights before the first step, and at first d = d_max = d₀, r = 0. As long as s = 0 nothing happens.

Source: Mishchenko & Defazio, "Prodigy: An Expeditiously Adaptive Parameter-Free Learner", ICML 2024, arXiv:2306.06101,
Algorithm 4, and ``prodigyopt``, the package of its authors, which differs from it: (1) the paper has dε in the
denominator, where the package has Dε, of the distance that was just found; (2) r and s of the paper have factors 1 − β₃
and no 1/d₀, which cancel in d̂; (3) β₃ = √β₂ in the paper, which is the default; κ, q, the decay, ``bias_correction``
and ``safeguard_warmup`` are the package's.

With ``bias_correction`` γ has the correction in the decay, too, where AdamW has none: so it is in ``prodigyopt`` and in
``optax``, which is the same with ``bias_correction=True``. ``pytorch-optimizer`` is the same but for r and ‖s‖₁, which
are float32 there.
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
class Prodigy:
    """State: ``step``, ``d``, ``d_max`` and ``d_numerator`` r, ``(runs,)``, which all parameters share; of the
    parameter's shape ``exp_avg`` m, ``exp_avg_sq`` v, ``s`` and ``p0`` w₀.

    All of it is absent before the first step. ``beta3``: None for √β₂; ``growth_rate``: None for no limit. Raises
    :class:`~refimpl.errors.ParameterError` for d₀ = 0, from which no distance grows.
    """

    shared: ClassVar[tuple[str, ...]] = ("step", "d", "d_max", "d_numerator")
    lr: NonNegative = 1.0
    betas: Rates = (0.9, 0.999)
    beta3: Annotated[Number | None, Range(low=0, high=1, open_high=True, optional=True)] = None
    eps: NonNegative = 1e-8
    weight_decay: NonNegative = 0.0
    decoupled_weight_decay: bool = True
    bias_correction: bool = False
    safeguard_warmup: bool = False
    d0: NonNegative = 1e-6
    d_coef: NonNegative = 1.0
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
        """Of this parameter ``product`` ⟨g, w₀ − w⟩ and ``length`` ‖s‖₁, ``(runs,)``."""
        g, s = self._gradient(param, grad), self._weighted(param, grad, state)
        way = state.get("p0", param) - param  # w₀ − w
        g, way, s = (x.reshape(len(param), -1) for x in (g, way, s))
        product: Any = np.vecdot(g, way)  # ⟨g, w₀ − w⟩
        length: Any = fused(lambda x: np.abs(x).sum(axis=-1), s)  # ‖s‖₁
        return {"product": item(product), "length": item(length)}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        beta1, beta2 = self.betas
        sums = {key: of_run(state.get(key, own), param) for key, own in self.addends(param, grad, state).items()}
        count, _ = count_step(state, param)
        d, gamma = self._distance(param, state)
        g, s = self._gradient(param, grad), self._weighted(param, grad, state)
        m = beta1 * state.get("exp_avg", 0) + d * (1 - beta1) * g  # β₁m + (1 − β₁)d·g
        v = beta2 * state.get("exp_avg_sq", 0) + d * d * (1 - beta2) * g * g  # β₂v + (1 − β₂)d²g²
        r = self._kept * of_run(state.get("d_numerator", 0), param)  # β₃r
        r = r + d / self.d0 * gamma * sums["product"]  # + (d/d₀)γ·⟨g, w₀ − w⟩
        begun = sums["length"] > 0
        found = self.d_coef * r / np.where(begun, sums["length"], 1)  # κ·r/‖s‖₁
        d_max = larger(of_run(state.get("d_max", self.d0), param), found)  # max(d_max, d̂)
        D = d_max
        if self.growth_rate is not None:
            D = np.where(d > self.d0, smaller(d_max, self.growth_rate * d), d_max)  # min(d_max, q·d)
        w = param
        if self.decoupled_weight_decay and not is_zero(self.weight_decay):
            w = w * (1 - gamma * self.weight_decay)  # w(1 − γλ)
        w = w - gamma * (m / np.where(begun, np.sqrt(v) + D * self.eps, 1))  # w − γ·m/(√v + Dε)
        numbers = {"d": D, "d_max": d_max, "d_numerator": r}
        return np.where(begun, w, param), {
            "step": count,
            "exp_avg": m,
            "exp_avg_sq": v,
            "s": s,
            "p0": state.get("p0", param),
            **{key: number.reshape(len(param)) for key, number in numbers.items()},
        }

    @property
    def _kept(self) -> Any:
        return np.sqrt(self.betas[1]) if self.beta3 is None else self.beta3  # β₃ = √β₂

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
        d, gamma = self._distance(param, state)
        weight = d / self.d0 * (d if self.safeguard_warmup else gamma)  # (d/d₀)γ or (d/d₀)d
        return self._kept * state.get("s", 0) + weight * self._gradient(param, grad)  # β₃s + (d/d₀)γ·g
