"""A network of two layers, ``ẑ = W₂·relu(W₁x + b₁) + b₂``, with the parameter names of a torch module with two layers.

For each row x, with ⊙ the elementwise product::

    a = W₁x + b₁                 before the ReLU
    h = max(a, 0)                after it
    d = h ⊙ m/(1 − p)            dropout in training: m has zeros where a unit is left out, each with probability p
    z = W₂d + b₂                 outputs

and backwards, for upstream ``δ = ∂L/∂z`` (∂z/∂W₂ᵢⱼ = dⱼ in place i, ∂z/∂d = W₂, ∂h/∂a diagonal)::

    ∂L/∂W₂ = Σ δ dᵀ              ∂L/∂b₂ = Σ δ              sums over the rows
    ∂L/∂h  = W₂ᵀδ ⊙ m/(1 − p)
    ∂L/∂a  = ∂L/∂h ⊙ [a > 0]     the ReLU's derivative: 1 above 0, 0 below, and 0 at 0 by convention, as in torch
    ∂L/∂W₁ = Σ ∂L/∂a xᵀ          ∂L/∂b₁ = Σ ∂L/∂a

With 1/(1 − p) the expectation of d over the masks is h, so that nothing is scaled when the model is evaluated
(Srivastava et al., "Dropout", JMLR 15, 2014, §10: "inverted" dropout, which torch has). The masks are data, drawn from
the experiment's seed for each step: the model of a step is ``dropping(mask)``, that of evaluation the model itself.

Where rounding leaves the sign of a undecided, running-error arithmetic takes both branches of ``[a > 0]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from refimpl.ranges import Rate, check_fields, check_integers
from refimpl.types import Array, Params


@dataclass(frozen=True, kw_only=True)
class MLP:
    """``fc1.weight`` ``(runs, hidden, p)`` and ``fc1.bias`` ``(runs, hidden)`` are W₁ and b₁; ``fc2.weight``
    ``(runs, outputs, hidden)`` and ``fc2.bias`` ``(runs, outputs)`` are W₂ and b₂.

    ``dropout``: p; ``mask``: of one step, ``(runs or 1, n, hidden)`` of zeros and ones.
    """

    hidden: int = 128
    outputs: int = 10
    dropout: Rate = 0.0
    mask: Array | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, hidden=1, outputs=1)

    @property
    def ndim(self) -> Mapping[str, int]:
        return {"fc1.weight": 3, "fc1.bias": 2, "fc2.weight": 3, "fc2.bias": 2}

    @property
    def weights(self) -> tuple[str, ...]:
        return ("fc1.weight", "fc2.weight")

    def shapes(self, features: int) -> dict[str, tuple[int, ...]]:
        return {
            "fc1.weight": (self.hidden, features),
            "fc1.bias": (self.hidden,),
            "fc2.weight": (self.outputs, self.hidden),
            "fc2.bias": (self.outputs,),
        }

    def draw_mask(self, rows: int, rng: np.random.Generator) -> Array:
        """Which hidden units stay: ``(1, rows, hidden)``, 1 with probability 1 − p."""
        return (rng.random((1, rows, self.hidden)) >= self.dropout).astype(float)

    def dropping(self, mask: Array) -> MLP:
        """The model of a training step with that mask."""
        return replace(self, mask=mask)

    def forward(self, params: Params, X: Array) -> Array:
        """Outputs ``(runs, n, outputs)`` for inputs ``(runs or 1, n, p)``."""
        _, d = self._hidden(params, X)
        outputs: Array = d @ params["fc2.weight"].swapaxes(1, 2) + params["fc2.bias"][:, None, :]  # W₂d + b₂
        return outputs

    def backward(self, params: Params, X: Array, upstream: Array) -> dict[str, Array]:
        """∂L by parameter for δ = ``upstream`` ``(runs, n, outputs)``."""
        a, d = self._hidden(params, X)
        of_d = upstream @ params["fc2.weight"]  # W₂ᵀδ
        of_h = of_d if self.mask is None else of_d * (self.mask / (1 - self.dropout))  # ⊙ m/(1 − p)
        of_a = np.where(a > 0, of_h, 0)  # ⊙ [a > 0]
        return {
            "fc1.weight": of_a.swapaxes(1, 2) @ X,  # Σ ∂L/∂a xᵀ
            "fc1.bias": of_a.sum(axis=1),  # Σ ∂L/∂a
            "fc2.weight": upstream.swapaxes(1, 2) @ d,  # Σ δ dᵀ
            "fc2.bias": upstream.sum(axis=1),  # Σ δ
        }

    def _hidden(self, params: Params, X: Array) -> tuple[Array, Array]:
        """a and d, ``(runs, n, hidden)`` each."""
        a = X @ params["fc1.weight"].swapaxes(1, 2) + params["fc1.bias"][:, None, :]  # W₁x + b₁
        h = np.maximum(a, 0)  # max(a, 0)
        return a, h if self.mask is None else h * (self.mask / (1 - self.dropout))  # h ⊙ m/(1 − p)
