"""Muon, as ``torch.optim.Muon``: steps whose singular values are all near 1, for matrices.

::

    b ← b + (1 − μ)(g − b)                      momentum, from b = 0
    U = g + μ(b − g) (Nesterov) or b
    X = U / max(‖U‖, ε)                         Frobenius norm; of Uᵀ where U has more rows than columns
    ns_steps times, with (a, b, c) = ns_coefficients:
        A = XXᵀ
        B = bA + cAA
        X ← aX + BX                             the singular values become σ ← aσ + bσ³ + cσ⁵
    w ← w(1 − ηλ) − η′X                         Xᵀ where it was transposed; decoupled weight decay

    η′ = η·√max(1, rows/columns)                adjust_lr_fn None or "original"
    η′ = η·0.2·√max(rows, columns)              adjust_lr_fn "match_rms_adamw"
    η′ = η·√(rows/columns)                      adjust_lr_fn "rms_to_rms"

Sources: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, and its code; Liu et al.,
"Muon is Scalable for LLM Training", 2025, for the second η′; Pethick et al., "Training Deep Learning Models with
Norm-Constrained LMOs", 2025, for the third, which ``timm`` has and torch has not. The coefficients make the polynomial
steep at 0, so that it does not converge to the polar factor of U: singular values end near 1, not at it.

torch computes from X to the last product in bfloat16, whatever the dtype of the parameter. These roundings grow from
one product to the next, and no bound over the whole step is worth having: each stage, a method below, is judged by
itself. torch's documentation has b ← μb + g and U = g + μb, which are 1/(1 − μ) times what is computed and stored; the
norm takes the factor out again, but not where ε acts. η′ does not multiply the decay.

η√m is written √(η²m), which is the same and lets any arithmetic take the root.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from refimpl.arithmetic.kernels import lerp, norm
from refimpl.errors import ParameterError
from refimpl.ranges import NonNegative, Range, check_fields, check_integers
from refimpl.stepping import is_zero
from refimpl.types import Array, Decay, Number, State

RMS_OF_ADAMW = 0.2
"""What RMS the steps of AdamW have, as measured by Liu et al.; the double that torch has for it."""


@dataclass(frozen=True, kw_only=True)
class Muon:
    """State: ``momentum_buffer`` b, of the parameter's shape, absent before the first step, when it counts as 0.

    Parameters are matrices: ``(runs, rows, columns)``. The methods below ``step`` are its stages.
    """

    decay: ClassVar[Decay] = "decoupled"
    lr: NonNegative = 0.001
    weight_decay: NonNegative = 0.1
    momentum: NonNegative = 0.95
    nesterov: bool = True
    ns_coefficients: Annotated[tuple[Number, Number, Number], Range()] = (3.4445, -4.775, 2.0315)
    eps: NonNegative = 1e-7
    ns_steps: int = 5
    adjust_lr_fn: Literal["original", "match_rms_adamw", "rms_to_rms", None] = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_integers(self, ns_steps=0)
        if self.ns_steps >= 100:
            raise ParameterError("ns_steps", given=self.ns_steps, allowed="fewer than 100", remedy="change ns_steps")

    def init(self, param: Array) -> State:
        if param.ndim != 3:
            raise ParameterError(
                "param",
                given=f"a parameter of shape {param.shape[1:]}",
                allowed="matrices",
                remedy="give it to another optimizer, such as AdamW",
            )
        return {}

    def step(self, param: Array, grad: Array, state: State) -> tuple[Array, State]:
        buffer = self.buffer(grad, state)
        X = self.start(self.direction(grad, buffer))
        for _ in range(self.ns_steps):
            X = self.iterate(X, self.polynomial(self.gram(X)))
        return self.moved(param, X), {"momentum_buffer": buffer}

    def buffer(self, grad: Any, state: Mapping[str, Any]) -> Any:
        return lerp(state.get("momentum_buffer", 0), grad, 1 - self.momentum)  # b + (1 − μ)(g − b)

    def direction(self, grad: Any, buffer: Any) -> Any:
        return lerp(grad, buffer, self.momentum) if self.nesterov else buffer  # g + μ(b − g)

    def start(self, U: Any) -> Any:
        X = U.swapaxes(-1, -2) if is_tall(U) else U
        return X / np.maximum(norm(X.reshape(len(X), -1)).reshape(-1, 1, 1), self.eps)  # U / max(‖U‖, ε)

    @staticmethod
    def gram(X: Any) -> Any:
        return X @ X.swapaxes(-1, -2)  # XXᵀ

    def polynomial(self, A: Any) -> Any:
        _, b, c = self.ns_coefficients
        return b * A + c * (A @ A)  # bA + cAA

    def iterate(self, X: Any, B: Any) -> Any:
        a, _, _ = self.ns_coefficients
        return a * X + B @ X  # aX + BX

    def moved(self, param: Any, X: Any) -> Any:
        O = X.swapaxes(-1, -2) if is_tall(param) else X  # noqa: E741  # the literature's letter
        rows, columns = param.shape[-2:]
        if self.adjust_lr_fn == "match_rms_adamw":
            rate = np.sqrt(self.lr * self.lr * max(rows, columns)) * RMS_OF_ADAMW  # η·0.2·√max(rows, columns)
        else:
            long = rows if self.adjust_lr_fn == "rms_to_rms" else max(rows, columns)
            rate = np.sqrt(self.lr * self.lr * long / columns)  # η·√(rows/columns), of which "original" has 1 at least
        if not is_zero(self.weight_decay):
            param = param * (1 - self.lr * self.weight_decay)  # w(1 − ηλ)
        return param - rate * O  # w − η′X


def is_tall(matrix: Any) -> bool:
    """More rows than columns."""
    return bool(matrix.shape[-2] > matrix.shape[-1])
