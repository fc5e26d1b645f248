"""Classes that are derived from ``torch.optim.Optimizer``: those of torch, and of packages."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

from parity.explain.feeds import Feed
from parity.features.convert.optimizers.library import Moments
from parity.features.convert.optimizers.writing import Writing, same

ADAM = same("lr betas eps weight_decay")
LION = same("lr betas weight_decay")
MOMENTUM = same("lr momentum weight_decay")
SGD = same("lr momentum dampening nesterov")
SGDW = (Writing("SGDW", "sgdw", {**SGD, **same("weight_decay")}), Writing("SGDW", "sgd", SGD))
LARS = {**MOMENTUM, **same("trust_coefficient")}
UNBUFFERED = {"lr_in_buffer": False}
DECOUPLED = {"decoupled_weight_decay": True}

TORCH = (
    Writing("SGD", "sgd", {**SGD, **same("weight_decay")}),
    Writing("Adam", "adam", {**ADAM, **same("amsgrad")}),
    Writing("AdamW", "adamw", {**ADAM, **same("amsgrad")}),
    Writing("NAdam", "nadam", {**ADAM, **same("momentum_decay")}),
    Writing("RAdam", "radam", {**ADAM, **same("decoupled_weight_decay")}),
    Writing("Adamax", "adamax", ADAM),
    Writing("Adagrad", "adagrad", same("lr lr_decay weight_decay initial_accumulator_value eps")),
    Writing("Adadelta", "adadelta", same("lr rho eps weight_decay")),
    Writing("RMSprop", "rmsprop", same("lr alpha eps weight_decay momentum centered")),
    Writing("Rprop", "rprop", same("lr etas step_sizes")),
    Writing("ASGD", "asgd", same("lr lambd alpha t0 weight_decay")),
)
TIMM = (
    Writing("AdaBelief", "adabelief", {**ADAM, **same("rectify")}),
    Writing("AdamWLegacy", "adamw", {**ADAM, **same("amsgrad")}),
    Writing("Adan", "adan", {**ADAM, **same("no_prox")}),
    Writing("Lamb", "lamb", ADAM, given={"max_grad_norm": None}),
    Writing("Lars", "lars", {**MOMENTUM, "trust_coefficient": "trust_coeff", **same("eps")}, fixed=UNBUFFERED),
    Writing("Lion", "lion", LION),
    Writing("NAdamLegacy", "nadam", ADAM),
    Writing("NAdamW", "nadam", ADAM, fixed=DECOUPLED),
    Writing("RAdamLegacy", "radam", ADAM, fixed=DECOUPLED),
    Writing("RMSpropTF", "rmsprop", {**MOMENTUM, **same("alpha eps centered")}),
    *SGDW,
)
PYTORCH_OPTIMIZER = (
    Writing("AdaBelief", "adabelief", {**ADAM, **same("rectify")}),
    Writing("AdaDelta", "adadelta", same("lr rho eps weight_decay")),
    Writing("AdaMax", "adamax", ADAM),
    Writing("Adan", "adan", ADAM, given={"weight_decouple": False}),
    Writing("LARS", "lars", LARS, fixed=UNBUFFERED),
    Writing("Lion", "lion", LION),
    Writing("RAdam", "radam", ADAM, fixed=DECOUPLED, given={"degenerated_to_sgd": True}),
    *SGDW,
    Writing("FlashAdamW", "adamw", ADAM, given={"quantize": False}),
    Writing("QHAdam", "adam", ADAM, given={"nus": (1.0, 1.0)}),
)
TORCH_OPTIMIZER = (
    Writing("AdaBelief", "adabelief", {**ADAM, **same("rectify weight_decouple")}),
    Writing("LARS", "lars", {**LARS, **same("eps")}, fixed=UNBUFFERED),
    Writing("Lamb", "lamb", ADAM, fixed={"bias_correction": False}, given={"clamp_value": 1e9}),
    Writing("RAdam", "radam", ADAM, fixed=DECOUPLED),
    *SGDW,
    Writing("QHAdam", "adam", ADAM, given={"nus": (1.0, 1.0)}),
)
OPTIMI = (
    Writing("Adam", "adam", ADAM),
    Writing("AdamW", "adamw", ADAM),
    Writing("Adan", "adan", ADAM),
    Writing("Lion", "lion", LION),
    Writing("RAdam", "radam", ADAM),
    Writing("SGD", "sgd", MOMENTUM, given={"torch_init": True}),
)


@dataclass(frozen=True)
class Package:
    """A library of such classes; see :class:`~parity.features.convert.optimizers.library.Library`."""

    MODULE: str
    WRITINGS: Sequence[Writing]
    EXTRA: str = "zoo"
    SCALARS: ClassVar[Mapping[str, str]] = {"float64": "float64", "float32": "float64"}

    def maker(self, name: str) -> Any:
        return getattr(import_module(self.MODULE), name)

    def run(self, name: str, hyper: Mapping[str, Any], feed: Feed, dtype: str) -> Moments:
        """A feed from a new optimizer on; the rate of its group is changed between the steps."""
        import torch

        def tensor(array: Any) -> torch.Tensor:
            return torch.from_numpy(array).to(getattr(torch, dtype), copy=True)  # some packages change gradients

        parameters = {name: torch.nn.Parameter(tensor(start)) for name, start in feed.weights.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            optimizer = self.maker(name)(list(parameters.values()), **dict(hyper))
            group, moments = optimizer.param_groups[0], [_numbers(parameters)]
            rate = group["lr"]
            for k, factor in enumerate(feed.factor):
                group["lr"] = rate * factor
                for name, parameter in parameters.items():
                    parameter.grad = tensor(feed.gradients[name][k])
                optimizer.step()
                moments.append(_numbers(parameters))
        return moments


def _numbers(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: parameter.detach().double().numpy().copy() for name, parameter in parameters.items()}


PACKAGES = {
    "torch": Package("torch.optim", TORCH, EXTRA=""),
    "timm": Package("timm.optim", TIMM),
    "pytorch_optimizer": Package("pytorch_optimizer", PYTORCH_OPTIMIZER),
    "torch_optimizer": Package("torch_optimizer", TORCH_OPTIMIZER),
    "optimi": Package("optimi", OPTIMI),
}
