"""The rules of the table: each as an optimizer of a library, with numbers that show every part of it.

ε and λ are large, and no number is round, so that a rule which differs in one of them differs in every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BETAS = {"betas": (0.8, 0.95), "eps": 1e-3}


@dataclass(frozen=True)
class Row:
    """``source`` with ``hyper``: how one library writes the rule."""

    source: str
    hyper: Mapping[str, Any]

    @property
    def command(self) -> str:
        words = " ".join(f"--hyper '{name}={value!r}'" for name, value in self.hyper.items())
        return f"parity convert --from {self.source} {words} --to all --prove"


ROWS: Mapping[str, Row] = {
    "SGD": Row("torch.SGD", {"lr": 0.03}),
    "SGD, L2": Row("torch.SGD", {"lr": 0.03, "weight_decay": 0.3}),
    "SGD, momentum": Row("torch.SGD", {"lr": 0.03, "momentum": 0.9}),
    "SGD, momentum, L2": Row("torch.SGD", {"lr": 0.03, "momentum": 0.9, "weight_decay": 0.3}),
    "SGD, dampening": Row("torch.SGD", {"lr": 0.03, "momentum": 0.9, "dampening": 0.3}),
    "SGD, Nesterov": Row("torch.SGD", {"lr": 0.03, "momentum": 0.9, "nesterov": True}),
    "SGDW": Row("pytorch_optimizer.SGDW", {"lr": 0.03, "momentum": 0.9, "weight_decay": 0.3}),
    "Adam": Row("torch.Adam", {"lr": 0.03, **BETAS}),
    "Adam, L2": Row("torch.Adam", {"lr": 0.03, **BETAS, "weight_decay": 0.3}),
    "Adam, AMSGrad": Row("torch.Adam", {"lr": 0.03, "betas": (0.8, 0.6), "eps": 1e-3, "amsgrad": True}),
    "AdamW": Row("torch.AdamW", {"lr": 0.03, **BETAS, "weight_decay": 0.3}),
    "NAdam": Row("torch.NAdam", {"lr": 0.03, **BETAS}),
    "RAdam": Row("torch.RAdam", {"lr": 0.03, **BETAS}),
    "AdaMax": Row("torch.Adamax", {"lr": 0.03, **BETAS}),
    "Adagrad": Row("torch.Adagrad", {"lr": 0.03, "eps": 1e-3, "initial_accumulator_value": 0.1}),
    "Adadelta": Row("torch.Adadelta", {"lr": 0.3, "rho": 0.8, "eps": 1e-3}),
    "RMSprop": Row("torch.RMSprop", {"lr": 0.03, "alpha": 0.8, "eps": 1e-3}),
    "RMSprop, momentum": Row("torch.RMSprop", {"lr": 0.03, "alpha": 0.8, "eps": 1e-3, "momentum": 0.9}),
    "Lion": Row("optax.lion", {"learning_rate": 0.03, "b1": 0.8, "b2": 0.95, "weight_decay": 0.3}),
    "LAMB": Row("optax.lamb", {"learning_rate": 0.03, "b1": 0.8, "b2": 0.95, "eps": 1e-3, "weight_decay": 0.3}),
}
