"""SAM: the step is made with the gradient at the worst place near the weights.

::

    e = ρ·g/(‖g‖ + 10⁻¹²)               g: the gradients at w of all parameters together
    ĝ: the gradients at w + e
    w ← the inner optimizer's step from w with ĝ

and ``adaptive``: e = ρ·w²g/(‖|w|·g‖ + 10⁻¹²). It needs two gradients, so it is no optimizer by itself: the caller asks
:meth:`SAM.perturbation` where the second one is to be taken, and steps with the inner optimizer from w.

Source: Foret, Kleiner, Mobahi & Neyshabur, "Sharpness-Aware Minimization for Efficiently Improving Generalization",
ICLR 2021, arXiv:2010.01412, equations (2) and (3) with p = 2; adaptive: Kwon, Kim, Park & Choi, "ASAM", ICML 2021,
arXiv:2102.11600.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from refimpl.ranges import NonNegative, check_fields
from refimpl.reductions import norm
from refimpl.types import Array, Decay, Optimizer, State

TINY = (1, 10**12)
"""What is added to a norm before it divides, as a quotient of whole numbers: 10⁻¹²."""


@dataclass(frozen=True, kw_only=True)
class SAM:
    """State: that of ``inner``, which gets the second gradient."""

    inner: Optimizer
    rho: NonNegative = 0.05
    adaptive: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def decay(self) -> Decay:
        return self.inner.decay

    def perturbation(self, params: Mapping[str, Array], grads: Mapping[str, Array]) -> dict[str, Array]:
        """e of every parameter, ``(runs, …)``, from the weights and the gradients there."""
        scaled = {name: np.abs(params[name]) * g if self.adaptive else g for name, g in grads.items()}
        length = norm(*scaled.values())  # ‖g‖, or ‖|w|·g‖
        moved = {}
        for name, g in scaled.items():
            size = (length + _tiny(length)).reshape(-1, *(1,) * (g.ndim - 1))
            moved[name] = self.rho * (np.abs(params[name]) * g if self.adaptive else g) / size
        return moved

    def init(self, param: Array) -> State:
        return self.inner.init(param)

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        """The inner optimizer's step from ``param``; ``grad``: at the perturbed weights."""
        return self.inner.step(param, grad, state)


def _tiny(length: Array) -> Array:
    """10⁻¹² in the arithmetic of a norm."""
    one: Array = 0 * length + TINY[0]
    return one / TINY[1]
