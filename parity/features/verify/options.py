"""The option sets of every optimizer: torch's defaults, each option that changes the numbers, and combinations.

Values are no powers of two and no round numbers where that could hide a factor, and large enough to be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ADAM: dict[str, dict[str, Any]] = {
    "defaults": {},
    "decay": {"lr": 0.03, "weight_decay": 0.3},
    "averages": {"lr": 0.03, "betas": (0.7, 0.9), "eps": 1e-3},
    "maximize": {"lr": 0.03, "weight_decay": 0.3, "maximize": True},
}
AMSGRAD: dict[str, dict[str, Any]] = {
    "amsgrad": {"lr": 0.03, "amsgrad": True, "betas": (0.7, 0.6)},
    "amsgrad+decay+maximize": {"lr": 0.03, "amsgrad": True, "weight_decay": 0.3, "maximize": True, "eps": 1e-3},
}
DECOUPLED: dict[str, dict[str, Any]] = {
    "decoupled": {"lr": 0.03, "weight_decay": 0.3, "decoupled_weight_decay": True},
}

OPTIONS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "SGD": {
        "defaults": {},
        "decay": {"lr": 0.03, "weight_decay": 3.0},
        "momentum": {"lr": 0.03, "momentum": 0.9},
        "momentum+decay": {"lr": 0.03, "momentum": 0.9, "weight_decay": 0.3},
        "dampening": {"lr": 0.03, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.3},
        "nesterov": {"lr": 0.03, "momentum": 0.9, "nesterov": True},
        "nesterov+decay": {"lr": 0.03, "momentum": 0.9, "nesterov": True, "weight_decay": 0.3},
        "maximize": {"lr": 0.03, "momentum": 0.9, "weight_decay": 0.3, "maximize": True},
    },
    "Adam": {**ADAM, **AMSGRAD, **DECOUPLED},
    "AdamW": {**ADAM, **AMSGRAD, "no-decay": {"lr": 0.03, "weight_decay": 0.0}},
    "NAdam": {**ADAM, **DECOUPLED, "momentum-decay": {"lr": 0.03, "momentum_decay": 0.3}},
    "RAdam": {**ADAM, **DECOUPLED, "rectified": {"lr": 0.03, "betas": (0.7, 0.95), "eps": 1e-3}},
    "Adamax": ADAM,
    "SparseAdam": {name: ADAM[name] for name in ("defaults", "averages")}
    | {"maximize": {"lr": 0.03, "maximize": True}},
    "Adagrad": {
        "defaults": {},
        "decay": {"lr": 0.03, "weight_decay": 0.3},
        "lr-decay": {"lr": 0.03, "lr_decay": 0.3},
        "accumulator": {"lr": 0.03, "initial_accumulator_value": 0.3, "eps": 1e-3},
        "maximize": {"lr": 0.03, "weight_decay": 0.3, "lr_decay": 0.1, "maximize": True},
    },
    "Adadelta": {
        "defaults": {},
        "decay": {"lr": 0.3, "weight_decay": 0.3},
        "rho": {"lr": 0.3, "rho": 0.6, "eps": 1e-3},
        "maximize": {"lr": 0.3, "weight_decay": 0.3, "maximize": True},
    },
    "RMSprop": {
        "defaults": {},
        "decay": {"lr": 0.03, "weight_decay": 0.3},
        "alpha": {"lr": 0.03, "alpha": 0.7, "eps": 1e-3},
        "momentum": {"lr": 0.03, "momentum": 0.9},
        "centered": {"lr": 0.03, "centered": True, "alpha": 0.7, "eps": 1e-2},
        "all": {"lr": 0.03, "centered": True, "momentum": 0.6, "weight_decay": 0.3, "eps": 1e-2, "maximize": True},
    },
    "Rprop": {
        "defaults": {},
        "etas": {"lr": 0.03, "etas": (0.3, 1.7)},
        "step-sizes": {"lr": 0.03, "step_sizes": (0.02, 0.05)},
        "maximize": {"lr": 0.03, "maximize": True},
    },
    "ASGD": {
        "defaults": {},
        "decay": {"lr": 0.03, "weight_decay": 0.3},
        "lambd": {"lr": 0.03, "lambd": 0.3, "alpha": 0.6},
        "averaging": {"lr": 0.03, "t0": 1.0, "lambd": 0.1},
        "maximize": {"lr": 0.03, "weight_decay": 0.3, "t0": 2.0, "maximize": True},
    },
    "Adafactor": {
        "defaults": {},
        "decay": {"lr": 0.03, "weight_decay": 0.3},
        "beta2-decay": {"lr": 0.03, "beta2_decay": -0.5},
        "clipping": {"lr": 0.03, "d": 1.02},
        "floors": {"lr": 0.03, "eps": (0.3, 2.0)},
        "maximize": {"lr": 0.03, "weight_decay": 0.3, "maximize": True},
    },
    "Muon": {
        "defaults": {"lr": 0.03},
        "no-nesterov": {"lr": 0.03, "nesterov": False, "weight_decay": 0.3},
        "momentum": {"lr": 0.03, "momentum": 0.6, "weight_decay": 0.0},
        "match-rms": {"lr": 0.03, "adjust_lr_fn": "match_rms_adamw"},
        "steps": {"lr": 0.03, "ns_steps": 3, "ns_coefficients": (3.0, -3.2, 1.2)},
    },
    "LBFGS": {
        "defaults": {"max_iter": 1},
        "rate": {"lr": 0.3, "max_iter": 1},
        "history": {"lr": 0.3, "max_iter": 1, "history_size": 2},
    },
}
