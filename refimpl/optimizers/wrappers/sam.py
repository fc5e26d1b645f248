"""SAM, sharpness-aware minimisation: another optimizer's step from w, with the gradient taken where the loss is worse.

With g the gradient at w, and g' that at w + e, norms over all parameters together::

    e = ρ·g / (‖g‖ + ε)                      the worst of all w + e with ‖e‖ ≤ ρ, to first order
    e = ρ·w²g / (‖|w|g‖ + ε)                 ``adaptive``: ‖e/|w|‖ ≤ ρ, which scaling a weight does not change
    w ← inner.step(w, g')                    g' is taken at w + e, the step is made from w

Source: Foret, Kleiner, Mobahi & Neyshabur, "Sharpness-Aware Minimization for Efficiently Improving Generalization",
ICLR 2021, arXiv:2010.01412, equation (2) with p = 2 and Algorithm 1; Kwon et al., "ASAM: Adaptive Sharpness-Aware
Minimization for Scale-Invariant Learning of Deep Neural Networks", ICML 2021, arXiv:2102.11600. Papers have no ε;
``davda54/sam``, which most code follows, has 1e-12, as here.
The gradient is not differentiated through e.

A step needs two gradients, which are the caller's: :meth:`SAM.perturbation` says where the second one is taken, and
:meth:`SAM.step` is given that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from refimpl.arithmetic.kernels import norm
from refimpl.ranges import NonNegative, check_fields
from refimpl.types import Array, Decay, Optimizer, Params, State


@dataclass(frozen=True, kw_only=True)
class SAM:
    """State: that of ``inner``. ``rho`` ρ: how far away the gradient is taken; ``eps`` ε: against a norm of 0."""

    inner: Optimizer
    rho: NonNegative = 0.05
    adaptive: bool = False
    eps: NonNegative = 1e-12

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def decay(self) -> Decay:
        return self.inner.decay

    def perturbation(self, params: Params, grads: Params) -> Mapping[str, Array]:
        """e of each parameter, of its shape, from the gradients at the parameters; the norm of a run is over all."""
        scaled = {n: np.abs(params[n]) * g if self.adaptive else g for n, g in grads.items()}  # |w|g or g
        length = norm(np.concatenate([each.reshape(len(each), -1) for each in scaled.values()], axis=1))  # ‖g‖
        scale = self.rho / (length + self.eps)  # ρ / (‖g‖ + ε)
        e: dict[str, Any] = {}
        for name, each in scaled.items():
            direction = np.abs(params[name]) * each if self.adaptive else each  # w²g or g
            e[name] = direction * scale.reshape(-1, *(1,) * (each.ndim - 1))
        return e

    def init(self, param: Array) -> State:
        return self.inner.init(param)

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        """The inner step from ``param`` with the gradient that was taken at w + e."""
        return self.inner.step(param, grad, state)
