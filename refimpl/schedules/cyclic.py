"""Cyclical learning rates, as ``torch.optim.lr_scheduler.CyclicLR``.

::

    c = ⌊1 + k/L⌋           the number of the cycle, L = up + down advances long
    x = 1 + k/L − c         the position in it, from 0 to 1
    h = x/ρ  for x ≤ ρ,  (x − 1)/(ρ − 1)  after it,   ρ = up/L
    η_k = base + (max − base)·h·s           s = 1 (triangular), 2^(1 − c) (triangular2), γ^k (exp_range)
    μ_k = max_μ − (max_μ − base_μ)·h·s      momentum, or β₁, the other way round

Source: Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017. In whole numbers h is p/up for
p = k mod L ≤ up, and (L − p)/down after it; torch subtracts numbers near k/L, as written above, which costs digits.
torch differs from the paper in moving the momentum, unless ``cycle_momentum`` is false, and turns it on even where the
optimizer was made without; the optimizer's own η is overwritten by ``base_lr``. In cycle 1,025 of triangular2 torch
raises OverflowError. (Its ``scale_fn``, a Python function, is not here: any function of the count is a Lambda.)
Decay moves with η: coupled (SGD) and decoupled decay shrink the weights by η_k·λ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from refimpl.arithmetic.elementary import choose, integer
from refimpl.errors import ParameterError
from refimpl.ranges import NonNegative, Rate, check_fields, check_integers
from refimpl.stepping import is_zero, momentum_of
from refimpl.types import Number


@dataclass(frozen=True, kw_only=True)
class Cyclic:
    """From ``base_lr`` to ``max_lr`` in ``step_size_up`` advances, back in ``step_size_down`` (left out: as many).

    ``base_momentum`` > 0, because at momentum 0 torch's SGD leaves its buffer out of a step.
    """

    base_lr: NonNegative
    max_lr: NonNegative
    step_size_up: int = 2000
    step_size_down: int | None = None
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    gamma: NonNegative = 1.0
    cycle_momentum: bool = True
    base_momentum: Rate = 0.8
    max_momentum: Rate = 0.9
    per: Literal["epoch", "step"] = "step"

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, step_size_up=1)
        if self.step_size_down is not None:
            check_integers(self, step_size_down=1)
        for name in ("base_momentum", "max_momentum"):
            if is_zero(getattr(self, name)) and self.cycle_momentum:
                raise ParameterError(name, given=0, allowed="above 0", remedy=f"change {name}")

    def at(self, count: Any, base: Mapping[str, Number]) -> dict[str, Number]:
        up, down = self.step_size_up, self.step_size_down or self.step_size_up
        length = up + down
        one = integer(1, self.max_lr + self.gamma)
        cycle = 1 + count // length  # c = ⌊1 + k/L⌋
        x = 1 + integer(count, one) / length - cycle  # 1 + k/L − c
        ratio = one * up / length  # ρ
        height = choose(x <= ratio, x / ratio, (x - 1) / (ratio - 1))  # h
        scale: Any = {
            "triangular": one,
            "triangular2": (one / 2) ** (cycle - 1),  # 2^(1 − c)
            "exp_range": self.gamma**count,  # γ^k
        }[self.mode]
        changes = {"lr": self.base_lr + (self.max_lr - self.base_lr) * height * scale}
        if self.cycle_momentum:
            changes |= momentum_of(base, self.max_momentum - (self.max_momentum - self.base_momentum) * height * scale)
        return changes
