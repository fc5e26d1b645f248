"""One example of every entry of every registry."""

from __future__ import annotations

from typing import Any

from refimpl.penalties import L1, L2, ElasticNet
from refimpl.schedules import Exponential, Linear, Polynomial
from tests.refimpl.more_examples import NUMBERS_OF_ALL

EXAMPLES: dict[str, dict[str, list[dict[str, Any]]]] = {
    "loss": {
        "squared_error": [
            {"factor": 0.5, "reduction": "mean"},
            {"factor": 1.0, "reduction": "sum"},
            {"factor": 0.3, "reduction": "mean"},
        ],
        "cross_entropy": [{"reduction": "mean"}, {"reduction": "sum"}],
    },
    "penalty": {
        "l1": [{"strength": 0.7}],
        "l2": [{"strength": 0.7}],
        "elastic_net": [{"l1": 0.7, "l2": 1.3}],
        "norm": [{"strength": 0.7}],
        "subtracted_l1": [{"strength": 0.7}],
    },
    "optimizer": {
        "sgd": [
            {"lr": 0.1},
            {"lr": 0.1, "weight_decay": 0.3},
            {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.3},
            {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True, "weight_decay": 0.3},
        ],
        "sgdw": [
            {"lr": 0.1, "weight_decay": 0.3},
            {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.3},
            {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.3},
        ],
        "proximal_sgd": [
            {"lr": 0.1},
            {"lr": 0.1, "penalty": L1(strength=0.7)},
            {"lr": 0.1, "penalty": L2(strength=0.7)},
            {"lr": 0.1, "penalty": ElasticNet(l1=0.7, l2=1.3)},
        ],
        "adam": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3, "amsgrad": True, "maximize": True},
            {"lr": 0.1, "weight_decay": 0.3, "decoupled_weight_decay": True},
        ],
        "adamw": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3, "amsgrad": True, "maximize": True},
        ],
        "nadam": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3, "momentum_decay": 0.3, "maximize": True},
            {"lr": 0.1, "weight_decay": 0.3, "decoupled_weight_decay": True},
        ],
        "radam": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3, "maximize": True},
            {"lr": 0.1, "weight_decay": 0.3, "decoupled_weight_decay": True},
        ],
        "adamax": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3, "maximize": True},
        ],
        "sparse_adam": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "maximize": True},
        ],
        "adagrad": [
            {"lr": 0.1},
            {
                "lr": 0.1,
                "lr_decay": 0.3,
                "weight_decay": 0.3,
                "initial_accumulator_value": 0.2,
                "eps": 0.01,
                "maximize": True,
            },
        ],
        "adadelta": [
            {},
            {"lr": 0.1, "rho": 0.7, "eps": 0.01, "weight_decay": 0.3, "maximize": True},
        ],
        "rmsprop": [
            {"lr": 0.1},
            {"lr": 0.1, "alpha": 0.9, "eps": 0.01, "weight_decay": 0.3, "momentum": 0.9, "maximize": True},
            {"lr": 0.1, "alpha": 0.6, "eps": 0.01, "momentum": 0.5, "centered": True},
        ],
        "rprop": [
            {"lr": 0.1},
            {"lr": 0.1, "etas": (0.3, 1.7), "step_sizes": (0.05, 0.3), "maximize": True},
        ],
        "asgd": [
            {"lr": 0.1},
            {"lr": 0.1, "lambd": 0.3, "alpha": 0.6, "t0": 2.0, "weight_decay": 0.3, "maximize": True},
        ],
        "adafactor": [
            {"lr": 0.1, "eps": (1e-16, 1e-3), "d": 1.5},
            {"lr": 0.7, "beta2_decay": -0.5, "eps": (0.1, 0.5), "d": 1.2, "weight_decay": 0.3, "maximize": True},
        ],
        "muon": [
            {"lr": 0.1},
            {
                "lr": 0.1,
                "weight_decay": 0.3,
                "momentum": 0.4,
                "nesterov": False,
                "ns_coefficients": (2.0, -1.5, 0.5),
                "eps": 0.01,
                "ns_steps": 3,
                "adjust_lr_fn": "match_rms_adamw",
            },
        ],
        "lion": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.3},
        ],
        "lamb": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3},
            {"lr": 0.1, "weight_decay": 0.3, "bias_correction": False, "clamp_value": 0.7},
        ],
        "lars": [
            {"lr": 0.1},
            {"lr": 0.1, "momentum": 0.7, "weight_decay": 0.3, "trust_coefficient": 0.4, "eps": 0.01},
            {"lr": 0.1, "momentum": 0.7, "weight_decay": 0.3, "trust_coefficient": 0.4, "lr_in_buffer": False},
            {"lr": 0.1, "momentum": 0.0, "weight_decay": 0.3, "trust_coefficient": 0.4},
        ],
        "adabelief": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3},
            {"lr": 0.1, "eps": 0.01, "weight_decay": 0.3, "weight_decouple": False, "rectify": True},
        ],
        "adan": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.7, 0.9), "eps": 0.01, "weight_decay": 0.3},
            {"lr": 0.1, "weight_decay": 0.3, "no_prox": True},
        ],
        "schedule_free_sgd": [
            {"lr": 0.1},
            {"lr": 0.1, "momentum": 0.7, "weight_decay": 0.3, "warmup_steps": 3, "r": 0.5, "weight_lr_power": 1.5},
        ],
        "schedule_free_adamw": [
            {"lr": 0.1},
            {
                "lr": 0.1,
                "betas": (0.7, 0.9),
                "eps": 0.01,
                "weight_decay": 0.3,
                "warmup_steps": 3,
                "r": 0.5,
                "weight_lr_power": 1.5,
            },
        ],
        "laprop": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "eps_root": 0.02, "weight_decay": 0.3},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3, "lr_in_buffer": False},
        ],
        "adopt": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3, "clip": "none"},
            {
                "lr": 0.1,
                "betas": (0.8, 0.9),
                "weight_decay": 0.3,
                "decoupled_weight_decay": True,
                "clip_exponent": 0.4,
                "clip": "steps",
            },
        ],
        "ademamix": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9, 0.95), "alpha": 0.7, "eps": 0.01, "weight_decay": 0.3},
            {"lr": 0.1, "betas": (0.8, 0.9, 0.95), "weight_decay": 0.3, "decoupled_weight_decay": False},
        ],
        "madgrad": [
            {"lr": 0.1},
            {"lr": 0.1, "momentum": 0.7, "eps": 0.01, "weight_decay": 0.3, "lr_plus_eps": False},
            {"lr": 0.1, "momentum": 0.7, "weight_decay": 0.3, "decoupled_weight_decay": True},
            {"lr": 0.1, "momentum": 0.0, "eps": 0.01, "weight_decay": 0.3},
        ],
        "novograd": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3, "grad_averaging": True},
        ],
        "sophia": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "gamma": 0.7, "eps": 0.2, "weight_decay": 0.3},
        ],
        "yogi": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "initial_accumulator": 0.2, "weight_decay": 0.3},
            {"lr": 0.1, "weight_decay": 0.3, "decoupled_weight_decay": True, "bias_correction": False},
        ],
        "adabound": [
            {"lr": 0.1},
            {
                "lr": 0.1,
                "betas": (0.8, 0.9),
                "final_lr": 0.2,
                "gamma": 0.7,
                "eps": 0.01,
                "eps_root": 0.02,
                "base_lr": 0.3,
                "weight_decay": 0.3,
            },
            {"lr": 0.1, "gamma": 0.3, "weight_decay": 0.3, "decoupled_weight_decay": True, "amsbound": True},
        ],
        "diffgrad": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "eps_root": 0.02, "weight_decay": 0.3},
            {"lr": 0.1, "weight_decay": 0.3, "decoupled_weight_decay": True},
        ],
        "adamod": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9, 0.7), "eps": 0.01, "weight_decay": 0.3},
        ],
        "aggmo": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.3, 0.7), "weight_decay": 0.3},
        ],
        "sign_sgd": [
            {"lr": 0.1},
            {"lr": 0.1, "momentum": 0.7, "weight_decay": 0.3},
            {"lr": 0.1, "momentum": 0.0},
        ],
        "adamp": [
            {"lr": 0.1},
            {"lr": 0.1, "betas": (0.8, 0.9), "eps": 0.01, "weight_decay": 0.3, "delta": 3.0, "wd_ratio": 0.5},
            {"lr": 0.1, "weight_decay": 0.3, "nesterov": True},
        ],
        "sgdp": [
            {"lr": 0.1, "momentum": 0.9},
            {
                "lr": 0.1,
                "momentum": 0.7,
                "dampening": 0.4,
                "weight_decay": 0.3,
                "eps": 0.01,
                "delta": 3.0,
                "wd_ratio": 0.5,
            },
            {"lr": 0.1, "momentum": 0.7, "weight_decay": 0.3, "nesterov": True},
            {"lr": 0.03, "momentum": 0.2, "dampening": 0.5, "delta": 3.0, "project_buffer": True},
        ],
        "shampoo": [
            {"lr": 0.1},
            {"lr": 0.1, "momentum": 0.3, "weight_decay": 0.3, "eps": 0.7, "update_freq": 2},
        ],
        **NUMBERS_OF_ALL,
    },
    "schedule": {
        "constant": [{}],
        "step": [{"step_size": 3, "gamma": 0.3}, {"step_size": 1, "gamma": 0.5, "per": "step"}],
        "multi_step": [{"milestones": (2, 5), "gamma": 0.3}, {"milestones": (4, 1, 4), "per": "step"}],
        "exponential": [{"gamma": 0.9}, {"gamma": 0.97, "per": "step"}],
        "constant_factor": [{"total_iters": 3}, {"factor": 0.7}],
        "linear": [{}, {"start_factor": 0.9, "end_factor": 0.2, "total_iters": 12}],
        "polynomial": [{}, {"total_iters": 12, "power": 0.9}],
        "cosine_annealing": [{"T_max": 4}, {"T_max": 10, "eta_min": 0.03}],
        "cosine_annealing_warm_restarts": [{"T_0": 4}, {"T_0": 2, "T_mult": 2, "eta_min": 0.03}],
        "one_cycle": [
            {"max_lr": 0.5, "total_steps": 40, "cycle_momentum": False},
            {
                "max_lr": 0.5,
                "epochs": 5,
                "steps_per_epoch": 8,
                "three_phase": True,
                "anneal_strategy": "linear",
                "cycle_momentum": False,
            },
        ],
        "cyclic": [
            {"base_lr": 0.1, "max_lr": 0.7, "step_size_up": 2, "cycle_momentum": False, **more}
            for more in ({}, {"step_size_down": 1, "mode": "triangular2"}, {"mode": "exp_range", "gamma": 0.9})
        ],
        "lambda": [{"factor": lambda k: 1 / (1 + k)}],
        "multiplicative": [{"factor": lambda k: 1.07 if k % 3 else 0.8}],
        "sequential": [{"schedules": (Linear(total_iters=2), Polynomial(total_iters=9)), "milestones": (3,)}],
        "chained": [{"schedules": (Linear(total_iters=2), Exponential(gamma=0.9))}],
    },
    "init": {
        "normal": [{"std": 0.5}, {"std": 2.0, "mean": -1.0}],
        "constant": [{}, {"value": 0.25}],
        "torch_default": [{}],
        "integers": [{}, {"low": 2, "high": 5}],
        "truth": [{}],
        "values": [{"values": (1.0, -2.0, 0.5, 3.0)}],
    },
}
"""Constructor arguments, by registry and name."""

WITH_ROOTS: set[str] = {
    "polynomial",
    "cosine_annealing",
    "cosine_annealing_warm_restarts",
    "one_cycle",
    "lambda",
    "multiplicative",
    "sequential",
    "adam",
    "adamw",
    "nadam",
    "radam",
    "sparse_adam",
    "adagrad",
    "adadelta",
    "rmsprop",
    "asgd",
}
WITH_ROOTS |= {
    "norm",
    "adafactor",
    "muon",
    "lamb",
    "lars",
    "adabelief",
    "adan",
    "schedule_free_sgd",
    "schedule_free_adamw",
    "laprop",
    "adopt",
    "ademamix",
    "madgrad",
    "novograd",
    "sophia",
    "yogi",
    "adabound",
    "diffgrad",
    "adamod",
    "adamp",
    "sgdp",
    "stableadamw",
    "shampoo",
    "prodigy",
    "dadapt_adam",
    "adafactor_paper",
    "soap",
}
"""Entries of any registry whose formula takes a root or an exponential, and so cannot run in rationals."""

OF_CLASSES = {"cross_entropy"}
"""Losses whose targets are the numbers of classes: ``any_loss`` is one of residuals, these have tests of their own."""
