"""The one-cycle policy, as ``torch.optim.lr_scheduler.OneCycleLR``.

::

    η₀ = max_lr/div_factor,   η_end = η₀/final_div_factor,   N = total_steps,   a = pct_start·N − 1
    two phases:    η₀ → max_lr on [0, a],  max_lr → η_end on [a, N − 1]
    three phases:  η₀ → max_lr on [0, a],  max_lr → η₀ on [a, 2·pct_start·N − 2],  η₀ → η_end up to N − 1
    x → y on [start, end], at t = (k − start)/(end − start):
        y + (x − y)/2·(cos(πt) + 1)  (cos)          (y − x)·t + x  (linear)
    momentum, or β₁: max → base → max on the same phases, max in the third

Source: Smith & Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates", 2019; the
paper's own shape is ``three_phase`` with ``linear`` annealing, and it ends a phase on a step: here a is seldom whole,
so that torch's rate need not reach max_lr. torch computes this closed form. It overwrites the optimizer's own η and its
momentum, turning momentum on where the optimizer was made without, unless ``cycle_momentum`` is false. It may be
advanced N times, to k = N, one more than N steps need; there t > 1, and ``linear`` gives a negative rate. Where
pct_start·N = 1 torch divides by zero, and three phases with pct_start > 1/2 never end: both are refused here.
Decay moves with η: coupled (SGD) and decoupled decay shrink the weights by η_k·λ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refimpl.arithmetic.elementary import choose, cos_pi, integer
from refimpl.errors import ParameterError
from refimpl.ranges import NonNegative, Rate, check_fields, check_integers
from refimpl.stepping import is_zero, momentum_of
from refimpl.types import Number


@dataclass(frozen=True, kw_only=True)
class OneCycle:
    """``total_steps``, or ``epochs`` and ``steps_per_epoch``, whose product it is.

    ``base_momentum`` > 0, because at momentum 0 torch's SGD leaves its buffer out of a step.
    """

    max_lr: NonNegative
    total_steps: int | None = None
    epochs: int | None = None
    steps_per_epoch: int | None = None
    pct_start: Rate = 0.3
    anneal_strategy: Literal["cos", "linear"] = "cos"
    cycle_momentum: bool = True
    base_momentum: Rate = 0.85
    max_momentum: Rate = 0.95
    div_factor: NonNegative = 25.0
    final_div_factor: NonNegative = 10000.0
    three_phase: bool = False
    per: Literal["epoch", "step"] = "step"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.total_steps is not None:
            check_integers(self, total_steps=2)
        else:
            check_integers(self, epochs=1, steps_per_epoch=1)
            if self.steps < 2:
                raise ParameterError("total_steps", given=self.steps, allowed="an integer ≥ 2", remedy="train longer")
        for name in ("div_factor", "final_div_factor", "base_momentum", "max_momentum"):
            if is_zero(getattr(self, name)) and (self.cycle_momentum or "factor" in name):
                raise ParameterError(name, given=0, allowed="above 0", remedy=f"change {name}")
        if isinstance(self.pct_start, float):
            if self.pct_start * self.steps == 1:
                raise ParameterError(
                    "pct_start",
                    given=self.pct_start,
                    allowed="a rise that ends after the first step",
                    remedy="change pct_start: torch would divide by zero",
                )
            if self.three_phase and 2 * self.pct_start > 1:
                raise ParameterError(
                    "pct_start", given=self.pct_start, allowed="at most 0.5 with three_phase", remedy="change pct_start"
                )

    @property
    def steps(self) -> int:
        """N, the number of steps of the cycle."""
        return self.total_steps or (self.epochs or 0) * (self.steps_per_epoch or 0)

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        N = self.steps
        if np.any(np.asarray(count) > N):
            raise ParameterError(
                "total_steps", given=N, allowed=f"at least {np.max(count)}", remedy="train no longer than the cycle"
            )
        start_lr = self.max_lr / self.div_factor  # η₀
        end_lr = start_lr / self.final_div_factor  # η_end
        rise, last = self.pct_start * N - 1, integer(N - 1, self.max_lr)  # a, N − 1
        low, high = self.base_momentum, self.max_momentum
        if self.three_phase:
            fall = 2 * self.pct_start * N - 2
            phases: list[Any] = [
                (0, rise, (start_lr, self.max_lr), (high, low)),
                (rise, fall, (self.max_lr, start_lr), (low, high)),
                (fall, last, (start_lr, end_lr), (high, high)),
            ]
        else:
            phases = [(0, rise, (start_lr, self.max_lr), (high, low)), (rise, last, (self.max_lr, end_lr), (low, high))]
        pair: Any = None
        for start, end, (lr_0, lr_1), (momentum_0, momentum_1) in reversed(phases):
            t = (integer(count, self.max_lr) - start) / (end - start)  # (k − start)/(end − start)
            here = self._anneal(lr_0, lr_1, t), self._anneal(momentum_0, momentum_1, t)
            pair = here if pair is None else choose(count <= end, here, pair)
        lr, momentum = pair
        return {"lr": lr, **(momentum_of(base, momentum) if self.cycle_momentum else {})}

    def _anneal(self, x: Number, y: Number, t: Number) -> Any:
        """The number that goes from x at t = 0 to y at t = 1."""
        if self.anneal_strategy == "cos":
            return y + (x - y) / 2 * (cos_pi(t) + 1)
        return (y - x) * t + x
