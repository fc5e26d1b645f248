"""Constructor arguments of optimizers that see a whole array, or all of them, beside ``examples.py``."""

from __future__ import annotations

from typing import Any

NUMBERS_OF_ALL: dict[str, list[dict[str, Any]]] = {
    "adafactor_paper": [
        {"lr": 0.1},
        {
            "lr": 0.1,
            "eps": (0.02, 0.3),
            "clip_threshold": 0.7,
            "decay_rate": -0.6,
            "beta1": 0.8,
            "weight_decay": 0.3,
            "relative_step": False,
        },
        {"lr": 0.1, "eps": (0.02, 0.3), "scale_parameter": False, "warmup_init": True},
        {"lr": 0.1, "eps": (0.02, 0.3), "weight_decay": 0.3, "min_dim_size_to_factor": 9},
    ],
    "prodigy": [
        {"lr": 0.1},
        {
            "lr": 0.7,
            "betas": (0.8, 0.9),
            "beta3": 0.7,
            "eps": 0.01,
            "weight_decay": 0.3,
            "d0": 0.03,
            "d_coef": 1.5,
            "growth_rate": 1.2,
        },
        {
            "lr": 0.7,
            "d0": 0.03,
            "weight_decay": 0.3,
            "decoupled_weight_decay": False,
            "bias_correction": True,
            "safeguard_warmup": True,
        },
    ],
    "dadapt_adam": [
        {"lr": 0.1},
        {"lr": 0.7, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3, "d0": 0.03, "growth_rate": 1.2},
        {"lr": 0.7, "d0": 0.03, "weight_decay": 0.3, "decoupled_weight_decay": True, "bias_correction": True},
    ],
    "soap": [
        {"lr": 0.1},
        {
            "lr": 0.1,
            "betas": (0.8, 0.9),
            "shampoo_beta": 0.7,
            "eps": 0.01,
            "weight_decay": 0.3,
            "precondition_frequency": 2,
        },
        {"lr": 0.1, "correct_bias": False, "precondition_1d": True, "ordered": False, "precondition_frequency": 1},
    ],
    "stableadamw": [
        {"lr": 0.1},
        {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3},
    ],
}
