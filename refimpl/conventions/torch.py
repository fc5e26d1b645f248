"""torch: a loss as one writes it, and ``weight_decay`` or a penalty written into the loss.

::

    weight_decay = λ   a coupled optimizer adds λw to the gradient, and ∂/∂w (λ/2·‖w‖²) = λw: the penalty λ/2·‖w‖²
    + l2 * (w**2).sum()      l2·‖w‖² = λ₂/2·‖w‖² with λ₂ = 2·l2: no ½, as tutorials write it
    + l1 * w.abs().sum()     l1·‖w‖₁, λ₁ = l1

``MSELoss()`` is ``mean(r²)`` without a ½. ``weight_decay`` reaches the bias as well, unless the bias is in a parameter
group of its own.

The coupled optimizers descend J itself, so J says where they come to rest with full batches, by whatever path (with
minibatches and a constant rate they hover around it). A decoupled one shrinks the weights beside its step. AdamW
rests where ``ĝ/(|ĝ| + ε) = −λw``: as ε → 0 the minimum of the plain loss in the box ``|wⱼ| ≤ 1/λ``, a constraint and
no penalty (Xie & Li 2024, arXiv:2404.04454).

``ASGD`` is not taken: ``w ← w(1 − ℓη) − η(∂L + λw) = w − η(∂L + (λ + ℓ)w)`` with its own ``ℓ = lambd = 1e-4``, so it
descends the J of SGD with ``weight_decay = λ + ℓ``.

Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html and …/torch.nn.MSELoss.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from refimpl.errors import ParameterError
from refimpl.objective import LOSSES, Facts, Objective, Strength, number, text
from refimpl.ranges import check_fields

COUPLED = ("sgd", "adam", "nadam", "radam", "adamax", "adagrad", "adadelta", "rmsprop")
DECOUPLED = ("adamw", "muon", "adafactor")
WRITTEN = {
    "mse": "MSELoss()",
    "half-mse": "MSELoss() / 2",
    "sse": "MSELoss(reduction='sum')",
    "half-sse": "MSELoss(reduction='sum') / 2",
}


@dataclass(frozen=True, kw_only=True)
class Torch:
    """``loss + weight_decay/2·‖w‖² + l2·‖w‖² + l1·‖w‖₁``."""

    loss: Literal["mse", "half-mse", "sse", "half-sse"] = "mse"
    weight_decay: Strength = 0.0
    l2: Strength = 0.0
    l1: Strength = 0.0
    optimizer: str = "sgd"

    name: ClassVar = "torch"
    lambda1: ClassVar = "l1"
    lambda2: ClassVar = "weight_decay + 2·l2"
    intercept: ClassVar = "weight_decay reaches the bias, unless it is in a parameter group with weight_decay=0"
    link: ClassVar = "https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html"
    losses: ClassVar[tuple[str, ...]] = tuple(LOSSES)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.optimizer in DECOUPLED:
            remedy = "its decay is decoupled, w ← w − ηλw beside the step, and where it rests is no penalty's minimum"
            raise ParameterError("optimizer", given=self.optimizer, allowed=", ".join(COUPLED), remedy=remedy)
        if self.optimizer == "asgd":
            remedy = "its lambd, 1e-4 by default, decays beside weight_decay: give sgd and the sum of the two"
            raise ParameterError("optimizer", given=self.optimizer, allowed=", ".join(COUPLED), remedy=remedy)
        if self.optimizer not in COUPLED:
            allowed = ", ".join(COUPLED)
            raise ParameterError(
                "optimizer", given=self.optimizer, allowed=allowed, remedy="take one with coupled decay"
            )

    @property
    def formula(self) -> str:
        terms = {"weight_decay/2·‖w‖²": self.weight_decay, "l2·‖w‖²": self.l2, "l1·‖w‖₁": self.l1}
        return " + ".join([text(LOSSES[self.loss]), *(term for term, strength in terms.items() if strength)])

    @property
    def call(self) -> str:
        terms = {" + {} * (w**2).sum()": self.l2, " + {} * w.abs().sum()": self.l1}
        written = "".join(term.format(number(value)) for term, value in terms.items() if value)
        return f"{WRITTEN[self.loss]}{written}, {self.optimizer}(weight_decay={number(self.weight_decay)})"

    def ours(self, facts: Facts) -> Objective:
        del facts
        l2 = self.weight_decay + 2 * self.l2  # λ/2·‖w‖² + l2·‖w‖²
        return Objective(loss=LOSSES[self.loss], l1=self.l1, l2=l2)

    @classmethod
    def of(cls, objective: Objective, facts: Facts, loss: str) -> Self:
        same = objective.in_loss(LOSSES[loss], facts)
        return cls(loss=loss, weight_decay=same.l2, l1=same.l1)  # type: ignore[arg-type]  # one of the four: checked
